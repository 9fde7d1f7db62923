/**
 * A text that begins with its title as a Markdown heading, taken apart: templates have a place of their own for titles, and
 * small models take a heading among the facts for the answer.
 *
 *     # Parking permit                 title   Parking permit
 *                                      text    It costs 12 euros. …
 *     It costs 12 euros. …
 *
 * Both `# Title` and a line underlined with `===` count; `undefined` where the text begins in another way, or holds nothing
 * else.
 */
export function takeHeading(text: string): { title: string; text: string } | undefined {
  const [, marked, underlined, rest] =
    /^\s*(?:#{1,2}[ \t]+([^\n]+?)[ \t]*#*[ \t]*|([^\n]+?)[ \t]*\r?\n={3,}[ \t]*)\r?(?:\n([\s\S]*))?$/.exec(text) ?? []
  const title = marked ?? underlined
  const body = rest?.trim() ?? ''
  return title === undefined || body === '' ? undefined : { title, text: body }
}

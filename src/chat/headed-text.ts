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
  // By lines, not by one expression: those of a client may be a megabyte of spaces.
  const [first, afterFirst] = takeLine(text.trimStart())
  const [second, afterSecond] = takeLine(afterFirst)
  const marked = /^#{1,2}[ \t]/.test(first)
  if (!marked && !/^={3,}$/.test(second)) return undefined
  const title = marked ? withoutMarks(first) : first
  const body = (marked ? afterFirst : afterSecond).trim()
  return title === '' || body === '' ? undefined : { title, text: body }
}

/** The first line, without what is white at its end, and what stands behind it. */
function takeLine(text: string): [line: string, rest: string] {
  const end = text.indexOf('\n')
  return end < 0 ? [text.trimEnd(), ''] : [text.slice(0, end).trimEnd(), text.slice(end + 1)]
}

/** A heading without the marks before and behind it. */
function withoutMarks(line: string): string {
  let end = line.length
  while (line[end - 1] === '#') end--
  return line.slice(line[1] === '#' ? 2 : 1, end).trim()
}

/** A piece of a prompt, and whether control tokens in it are meant as such. */
export interface PromptPiece {
  text: string
  special: boolean
}

/**
 * Cuts a prompt so that control tokens in what users brought stay text, and all else is split into tokens as before.
 * Undefined where users brought none, which is nearly always: then nothing has to be cut.
 *
 *     <|user|>What does <|end|> mean?<|end|>
 *             └──── the user's ─────┘
 *     special  plain                  special
 *
 * A control token parts the text before and behind it anyway. So cuts are made at those the template wrote, and what
 * lies between two of them stays whole.
 *
 * @param plain the users' stretches: pairs of first character and one past the last, in order
 * @param controls control tokens by their text
 */
export function piecesOf(
  text: string,
  plain: readonly number[],
  controls: ReadonlyMap<string, number>,
): PromptPiece[] | undefined {
  const found = controlsIn(text, controls)
  if (!found.some(({ start, end }) => isWithin(plain, start, end))) return undefined
  const pieces: PromptPiece[] = []
  let begin = 0
  let hasOwn = false
  const add = (end: number) => {
    if (end > begin) pieces.push({ text: text.slice(begin, end), special: !hasOwn })
    begin = end
    hasOwn = false
  }
  for (const { start, end } of found)
    if (isWithin(plain, start, end)) hasOwn = true
    else {
      add(start)
      add(end)
    }
  add(text.length)
  return pieces
}

/** Where control tokens are in a text; if several begin at one place, the longest. */
function controlsIn(text: string, controls: ReadonlyMap<string, number>): { start: number; end: number }[] {
  const byFirst = new Map<string, string[]>()
  for (const control of controls.keys()) {
    const list = byFirst.get(control[0])
    if (list) list.push(control)
    else byFirst.set(control[0], [control])
  }
  for (const list of byFirst.values()) list.sort((a, b) => b.length - a.length)
  const found: { start: number; end: number }[] = []
  for (let at = 0; at < text.length; at++) {
    const control = byFirst.get(text[at])?.find((other) => text.startsWith(other, at))
    if (control === undefined) continue
    found.push({ start: at, end: at + control.length })
    at += control.length - 1
  }
  return found
}

/** Whether a stretch touches one of the users'. */
function isWithin(plain: readonly number[], start: number, end: number): boolean {
  let low = 0
  let high = plain.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (plain[2 * middle + 1] <= start) low = middle + 1
    else high = middle
  }
  return low < plain.length / 2 && plain[2 * low] < end
}

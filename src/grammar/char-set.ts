// Sets of characters: those that patterns have names for, and what can be done with sets.

/** Ranges of code points, `low, high, low, high, …`, ascending. */
export type CharSet = readonly number[]

export const lastCodePoint = 0x10ffff
/** Halves of characters outside the first plane: no text of JSON holds one alone. */
export const surrogates: CharSet = [0xd800, 0xdfff]

/** Every character. */
export const anyChar: CharSet = [0, 0xd7ff, 0xe000, lastCodePoint]

export const digits: CharSet = [48, 57]
export const wordChars: CharSet = [48, 57, 65, 90, 95, 95, 97, 122]
export const spaces: CharSet = [
  9, 13, 32, 32, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000,
  0x3000, 0xfeff, 0xfeff,
]
export const lineEnds: CharSet = [10, 10, 13, 13, 0x2028, 0x2029]

/** Whether a set holds a character. */
export function includes(set: CharSet, character: number): boolean {
  for (let i = 0; i < set.length; i += 2) if (character <= set[i + 1]) return character >= set[i]
  return false
}

/** Ranges in any order, made ascending and apart. */
export function union(ranges: CharSet): number[] {
  const pairs: [number, number][] = []
  for (let i = 0; i < ranges.length; i += 2) pairs.push([ranges[i], ranges[i + 1]])
  pairs.sort((a, b) => a[0] - b[0])
  const set: number[] = []
  for (const [low, high] of pairs)
    if (set.length > 0 && low <= set[set.length - 1] + 1) set[set.length - 1] = Math.max(set[set.length - 1], high)
    else set.push(low, high)
  return set
}

/** What of a set is not in another. */
export function without(set: CharSet, other: CharSet): number[] {
  const rest: number[] = []
  for (let i = 0; i < set.length; i += 2) {
    let low = set[i]
    for (let j = 0; j < other.length && low <= set[i + 1]; j += 2) {
      if (other[j + 1] < low) continue
      if (other[j] > set[i + 1]) break
      if (other[j] > low) rest.push(low, other[j] - 1)
      low = other[j + 1] + 1
    }
    if (low <= set[i + 1]) rest.push(low, set[i + 1])
  }
  return rest
}

/** Properties that are looked up: each takes a pass over all characters, once. */
const properties =
  /^\{(?:(?:General_Category=|gc=)?(?:L|Letter|Lu|Uppercase_Letter|Ll|Lowercase_Letter|M|Mark|N|Number|Nd|Decimal_Number|P|Punctuation|S|Symbol|Z|Separator|Zs)|Alphabetic|Uppercase|Lowercase|White_Space|Emoji|Emoji_Component|Emoji_Modifier|Emoji_Modifier_Base|Emoji_Presentation|Regional_Indicator|RI|Extended_Pictographic|(?:Script|sc)=(?:Latin|Greek|Cyrillic|Han|Hiragana|Katakana|Hangul|Arabic|Hebrew|Thai|Devanagari))\}$/
const knownProperties = new Map<string, CharSet>()

/** The characters of a Unicode property, as this JavaScript knows it. */
export function propertySet(braced: string): CharSet | undefined {
  if (!properties.test(braced)) return undefined
  const known = knownProperties.get(braced)
  if (known) return known
  const test = new RegExp(`^\\p${braced}$`, 'u')
  const set: number[] = []
  for (let code = 0; code <= lastCodePoint; code++) {
    if (code === surrogates[0]) code = surrogates[1] + 1
    if (!test.test(String.fromCodePoint(code))) continue
    if (set.length > 0 && set[set.length - 1] === code - 1) set[set.length - 1] = code
    else set.push(code, code)
  }
  knownProperties.set(braced, set)
  return set
}

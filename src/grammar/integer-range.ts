/** GBNF expressions that together write the integers from `least` to `most`, both of at most 15 digits. */
export function integersBetween(least: number, most: number): string[] {
  const parts: string[] = []
  if (least < 0) for (const part of naturals(most < 0 ? -most : 1, -least)) parts.push(`"-" ${part}`)
  if (most >= 0) parts.push(...naturals(Math.max(0, least), most))
  return parts
}

/**
 * The same for natural numbers: by length, and within a length by the digits that the bounds have in common.
 *
 *     7 … 2345   =   [7-9] | [1-9] [0-9]{1,2} | "1" [0-9]{3} | "2" [0-2] [0-9]{2} | …
 */
function naturals(least: number, most: number): string[] {
  const parts: string[] = []
  for (let from = least; from <= most; ) {
    const digits = String(from).length
    const to = Math.min(most, 10 ** digits - 1)
    if (from === 10 ** (digits - 1) && to === 10 ** digits - 1 && digits > 1) parts.push(`[1-9] ${repeat(digits - 1)}`)
    else parts.push(...sameLength(String(from), String(to)))
    from = to + 1
  }
  return parts
}

function sameLength(from: string, to: string): string[] {
  if (from === '') return ['']
  if (/^0*$/.test(from) && /^9*$/.test(to)) return [repeat(from.length)]
  const [a, b] = [Number(from[0]), Number(to[0])]
  const rest = from.length - 1
  const join = (head: string, tails: string[]) => tails.map((tail) => (tail === '' ? head : `${head} ${tail}`))
  if (a === b) return join(`"${a}"`, sameLength(from.slice(1), to.slice(1)))
  const parts = join(`"${a}"`, sameLength(from.slice(1), '9'.repeat(rest)))
  if (b - a > 1) parts.push(...join(`[${a + 1}-${b - 1}]`, rest === 0 ? [''] : [repeat(rest)]))
  return [...parts, ...join(`"${b}"`, sameLength('0'.repeat(rest), to.slice(1)))]
}

function repeat(digits: number): string {
  return digits === 1 ? '[0-9]' : `[0-9]{${digits}}`
}

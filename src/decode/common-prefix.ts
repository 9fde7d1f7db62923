// The common beginning of two lists of tokens.

/** How many tokens at the beginning are the same, at most `most`. */
export function commonLength(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  most: number = Number.POSITIVE_INFINITY,
): number {
  const end = Math.min(a.length, b.length, most)
  let common = 0
  while (common < end && a[common] === b[common]) common++
  return common
}

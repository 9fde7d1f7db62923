/**
 * The hash by which a text is found again: 128 bits as 32 hexadecimal digits, the same on every machine.
 *
 * Fast and well mixed, but not cryptographic: two texts with one hash can be constructed. The second would not be
 * indexed, and answers from it drafted less well; nothing else would go wrong.
 */
export function contentHash(text: string): string {
  let a = 0x9e3779b1
  let b = 0x85ebca6b
  let c = 0xc2b2ae35
  let d = 0x27d4eb2f
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = b ^ Math.imul(a ^ unit, 0x239b961b)
    b = c ^ Math.imul(b ^ unit, 0xab0e9789)
    c = d ^ Math.imul(c ^ unit, 0x38b34ae5)
    d = a ^ Math.imul(d ^ unit, 0xa1e38b93)
  }
  a ^= text.length
  for (let round = 0; round < 4; round++) {
    a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b)
    b = Math.imul(b ^ (b >>> 15) ^ c, 0xc2b2ae35)
    c = Math.imul(c ^ (c >>> 16) ^ d, 0x27d4eb2f)
    d = Math.imul(d ^ (d >>> 15) ^ a, 0x9e3779b1)
  }
  return [a, b, c, d].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

import { describe, expect, it } from 'vitest'
import { FIRST_TOKEN_TABLE, WEIGHTS } from '../../src/draft/features.js'
import { prior } from '../../src/draft/prior.js'

describe('the tables of features', () => {
  it('fit the 16 bits that index them, and the prior fits those it knows', () => {
    expect(WEIGHTS).toBeLessThanOrEqual(2 ** 16)
    expect(prior).toHaveLength(FIRST_TOKEN_TABLE)
  })
})

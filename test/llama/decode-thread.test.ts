import { describe, expect, it } from 'vitest'
import { DecodeThread } from '../../src/llama/decode-thread.js'

const batch = {
  n_tokens: 0,
  token: new Int32Array(1),
  embd: null,
  pos: new Int32Array(1),
  n_seq_id: new Int32Array(1),
  seq_id: new BigUint64Array(1),
  logits: new Int8Array(1),
}

describe('DecodeThread', () => {
  it('says so where it cannot run, once and for all, and leaves no forward waiting', async () => {
    const thread = new DecodeThread('/no/such/libllama.so')
    expect(thread.isFree).toBe(true)
    await expect(thread.decode(0n, batch)).rejects.toThrow(Error)
    expect(thread.isFree).toBe(false)
  })
})

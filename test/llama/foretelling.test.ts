import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import koffi from 'koffi'
import { afterAll, describe, expect, it } from 'vitest'
import { Batch } from '../../src/llama/batch.js'
import { LlamaLibrary } from '../../src/llama/library.js'
import { type Pointer, viewFloats } from '../../src/llama/native.js'
import { writeRandomModel } from '../helpers/random-model.js'

/**
 * What llama.cpp offers for heads that foretell (MTP, `nextn`), called as it stands: three functions are exported by their
 * C++ names only, so this tells at once when a release changes them.
 */
const library = LlamaLibrary.load()
const { llama } = library
const file =
  readdirSync(library.folder).find((name) => /^(lib)?llama\.[\w.]*(so|dylib|dll)|^llama\.dll/.test(name)) ?? ''
const native = koffi.load(path.join(library.folder, file))
const names = {
  set: '_Z26llama_set_embeddings_nextnP13llama_contextbb',
  all: '_Z26llama_get_embeddings_nextnP13llama_context',
  row: '_Z30llama_get_embeddings_nextn_ithP13llama_contexti',
}
/** Another compiler gives them other names. */
const isItanium = process.platform !== 'win32'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-foretelling-'))
afterAll(() => rmSync(folder, { recursive: true }))

const embedding = 128
const tokens = Array.from({ length: 24 }, (_, i) => 300 + ((i * 37) % 100))

interface Native {
  set: (context: Pointer, value: boolean, masked: boolean) => void
  all: (context: Pointer) => Pointer
  row: (context: Pointer, row: number) => Pointer
}

describe.skipIf(!isItanium)('a head that foretells', () => {
  const bound = isItanium
    ? ({
        set: native.func(`void ${names.set}(void* context, bool value, bool masked)`),
        all: native.func(`void* ${names.all}(void* context)`),
        row: native.func(`void* ${names.row}(void* context, int32 row)`),
      } as unknown as Native)
    : ({} as Native)

  function open(): Pointer {
    const model = path.join(folder, 'model.gguf')
    writeRandomModel(model, { architecture: 'glm4moe', type: 'Q8_0', seed: 4, novelty: 0.3 })
    const params = { ...llama.llama_model_default_params(), load_mtp: true, use_extra_bufts: true }
    return llama.llama_model_load_from_file(model, params) as Pointer
  }

  function contextOf(model: Pointer, foretells: boolean): Pointer {
    const params = llama.llama_context_default_params()
    Object.assign(params, { n_ctx: 256, n_batch: 64, n_ubatch: 64, n_threads: 1, n_threads_batch: 1 })
    Object.assign(params, { flash_attn_type: 1, type_k: 1, type_v: 30, kv_unified: true, ctx_type: foretells ? 1 : 0 })
    return llama.llama_init_from_model(model, params) as Pointer
  }

  /** Decodes tokens from a position on, beside vectors where the context foretells; logits of every row. */
  function decode(context: Pointer, some: readonly number[], from: number, hidden?: Float32Array): Float32Array[] {
    const batch = new Batch(some.length, 1)
    for (const [i, token] of some.entries()) batch.addSequence(batch.add(token, from + i, true), 0)
    const rows = new BigUint64Array(some.length)
    const address = koffi.address(batch.sequences)
    for (let i = 0; i < rows.length; i++) rows[i] = BigInt(address) + BigInt(i * batch.maxSequences * 4)
    const struct = {
      n_tokens: some.length,
      token: batch.tokens,
      embd: hidden ?? null,
      pos: batch.positions,
      n_seq_id: batch.sequenceCounts,
      seq_id: rows,
      logits: batch.outputs,
    }
    expect(llama.llama_decode(context, struct as never)).toBe(0)
    const all = viewFloats(llama.llama_get_logits(context) as Pointer, some.length * 512)
    return some.map((_, i) => all.slice(i * 512, (i + 1) * 512))
  }

  it('needs vectors of every row, which change no bit of the rows', () => {
    const model = open()
    const [plain, telling] = [contextOf(model, false), contextOf(model, false)]
    bound.set(telling, true, false)
    expect(decode(telling, tokens, 0)).toEqual(decode(plain, tokens, 0))
    const vectors = viewFloats(bound.all(telling), tokens.length * embedding)
    expect(vectors.every(Number.isFinite)).toBe(true)
    expect(vectors.some((value) => value !== 0)).toBe(true)
    expect(viewFloats(bound.row(telling, 3), embedding)).toEqual(vectors.slice(3 * embedding, 4 * embedding))
    for (const context of [plain, telling]) llama.llama_free(context)
    llama.llama_model_free(model)
  })

  it('foretells behind them in a context of its own, one row at a time as several at once', () => {
    const model = open()
    const target = contextOf(model, false)
    bound.set(target, true, false)
    decode(target, tokens, 0)
    // Row i of the head: token i + 1 beside what the layers made of token i.
    const vectors = viewFloats(bound.all(target), tokens.length * embedding).slice(0, -embedding)
    const [together, single] = [contextOf(model, true), contextOf(model, true)]
    const rows = decode(together, tokens.slice(1), 1, vectors)
    expect(rows.every((row) => row.every(Number.isFinite))).toBe(true)
    for (let i = 0; i + 1 < tokens.length; i++) {
      const vector = vectors.slice(i * embedding, (i + 1) * embedding)
      expect(decode(single, [tokens[i + 1]], i + 1, vector)[0]).toEqual(rows[i])
    }
    for (const context of [target, together, single]) llama.llama_free(context)
    llama.llama_model_free(model)
  })
})

/**
 * Model files that must be refused, each with one clear sentence and without leaking: a table to run a test over.
 *
 *     it.each(Object.entries(FAULTS))('refuses a file with %s', async (_, write) => { write(path); … })
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type GgufSource, writeGguf } from './gguf.js'
import { randomModel, writeRandomModel } from './random-model.js'

export const FAULTS = {
  'nothing in it': (path: string) => writeFileSync(path, ''),
  'a foreign magic': (path: string) => writeFileSync(path, 'PK\u0003\u0004 an archive, not a model'),
  'an unknown GGUF version': (path: string) =>
    rewrite(path, (bytes) => {
      bytes.writeUInt32LE(99, 4)
      return bytes
    }),
  'truncated metadata': (path: string) => rewrite(path, (bytes) => bytes.subarray(0, 3000)),
  'truncated weights': (path: string) => rewrite(path, (bytes) => bytes.subarray(0, bytes.length / 2)),
  'no metadata': (path: string) => void writeGguf(path, { metadata: {}, tensors: [] }),
  'an unknown architecture': (path: string) =>
    change(path, ({ metadata }) => {
      metadata['general.architecture'] = 'perceptron'
    }),
  'no tokenizer': (path: string) =>
    change(path, ({ metadata }) => {
      for (const key of Object.keys(metadata)) if (key.startsWith('tokenizer.')) delete metadata[key]
    }),
  /** llama.cpp loads this one; that it cannot speak must be seen by us. */
  'a tokenizer without tokens': (path: string) =>
    change(path, ({ metadata }) => {
      for (const key of Object.keys(metadata)) if (key.startsWith('tokenizer.')) delete metadata[key]
      metadata['tokenizer.ggml.model'] = 'none'
    }),
  'a tensor missing': (path: string) =>
    change(path, (model) => {
      model.tensors = model.tensors.filter(({ name }) => name !== 'blk.1.attn_v.weight')
    }),
  'a tensor of another shape': (path: string) =>
    change(path, ({ metadata }) => {
      metadata['llama.feed_forward_length'] = ['uint32', 96]
    }),
} satisfies Record<string, (path: string) => void>

function rewrite(path: string, alter: (bytes: Buffer) => Buffer): void {
  writeRandomModel(path)
  writeFileSync(path, alter(readFileSync(path)))
}

function change(path: string, alter: (model: GgufSource) => void): void {
  const model = randomModel()
  alter(model)
  writeGguf(path, model)
}

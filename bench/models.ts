/**
 * Models of real shapes with random weights, for benchmarks: a forward costs what it costs with the real weights, and
 * nothing is downloaded. What they say is made up, so acceptance must be measured elsewhere.
 *
 *     npm run bench -- models qwen2.5-0.5b Q4_0               every tensor Q4_0
 *     npm run bench -- models qwen2.5-7b Q4_0 --head Q6_K     as llama.cpp's own "Q4_0": the head in a larger type
 *
 * The path of the file is the last line of the output.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { TENSOR_TYPES, type TensorType } from '../test/helpers/gguf.js'
import { type RandomModelOptions, writeRandomModel } from '../test/helpers/random-model.js'
import { readArguments, refuse } from './kit/arguments.js'

const qwen = { architecture: 'qwen2', context: 32_768, ropeBase: 1e6 } as const

/** Shapes of published models. */
export const SHAPES = {
  'qwen2.5-0.5b': {
    ...qwen,
    ...{ embedding: 896, layers: 24, heads: 14, kvHeads: 2, feedForward: 4864, vocabulary: 151_936, tied: true },
  },
  'qwen2.5-1.5b': {
    ...qwen,
    ...{ embedding: 1536, layers: 28, heads: 12, kvHeads: 2, feedForward: 8960, vocabulary: 151_936, tied: true },
  },
  'qwen2.5-7b': {
    ...qwen,
    ...{ embedding: 3584, layers: 28, heads: 28, kvHeads: 4, feedForward: 18_944, vocabulary: 152_064 },
  },
  /** Hybrid; here every other layer is a convolution, there 10 of 16 are. */
  'lfm2-1.2b': {
    ...{ architecture: 'lfm2', context: 32_768, ropeBase: 1e6 },
    ...{ embedding: 2048, layers: 16, heads: 32, kvHeads: 8, feedForward: 8192, vocabulary: 65_536, tied: true },
  },
  /** Recurrent; its state cannot go back. */
  'mamba-130m': { architecture: 'mamba', context: 32_768, embedding: 768, layers: 24, vocabulary: 50_280, tied: true },
} satisfies Record<string, RandomModelOptions>

export type Shape = keyof typeof SHAPES

export interface BenchmarkModelOptions {
  shape: Shape
  /** Type of all matrices. */
  type: TensorType
  /** Type of the output head, which with a tied head is the embedding too. Default `type`. */
  head?: TensorType
  /** Default: a folder for all benchmarks in the system's temporary folder. */
  folder?: string
}

/** The path of such a model; written unless it is there already. A 7B model in Q4_0 takes 4.3 GB. */
export function benchmarkModel({ shape, type, head = type, folder }: BenchmarkModelOptions): string {
  const parent = folder ?? path.join(tmpdir(), 'lookahead-models')
  mkdirSync(parent, { recursive: true })
  const file = path.join(parent, `${shape}-${type}${head === type ? '' : `-head-${head}`}.gguf`)
  if (existsSync(file)) return file
  const options: RandomModelOptions = SHAPES[shape]
  const headTensor = options.tied ? 'token_embd.weight' : 'output.weight'
  writeRandomModel(file, { ...options, type: (tensor) => (tensor === headTensor ? head : type) })
  return file
}

function main(): void {
  const shapes = Object.keys(SHAPES).join(', ')
  const types = Object.keys(TENSOR_TYPES).join(', ')
  const { values, positionals } = readArguments(
    'models',
    {
      head: { type: 'string', value: 'TYPE', help: 'type of the output head, with a tied head of the embedding too' },
      folder: { type: 'string', help: 'where to write it (default: a folder in the system’s temporary one)' },
    },
    { name: 'SHAPE [TYPE]', help: `${shapes}; type of all matrices (default: Q4_0)`, required: true },
  )
  const [shape, type = 'Q4_0'] = positionals
  if (!(shape in SHAPES)) refuse('models', `expected a shape of ${shapes}, got ${shape}`)
  for (const wanted of [type, values.head ?? type])
    if (!(wanted in TENSOR_TYPES)) refuse('models', `expected a type of ${types}, got ${wanted}`)
  const began = performance.now()
  const file = benchmarkModel({ ...values, shape, type } as BenchmarkModelOptions)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${(statSync(file).size / 1e9).toFixed(2)} GB in ${seconds} s`)
  console.log(file)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()

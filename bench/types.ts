/**
 * Which weight types verify drafts cheaply: models of one shape in many types, with all tensors in that type and with
 * the output head in another as llama.cpp's own quantiser leaves it. The table of docs/exactness.md.
 *
 *     npm run bench -- types qwen2.5-0.5b
 */
import { statSync } from 'node:fs'
import { formatTable } from '../src/cli/terminal.js'
import { Context } from '../src/llama/context.js'
import { defaultThreads } from '../src/llama/context-options.js'
import { chooseConfiguration } from '../src/measure/configuration.js'
import { loadModel } from '../src/measure/loading.js'
import { TENSOR_TYPES, type TensorType } from '../test/helpers/gguf.js'
import { readArguments, refuse } from './kit/arguments.js'
import { fillCache, timeSizes } from './kit/forwards.js'
import { describeMachine } from './kit/machine.js'
import { benchmarkModel, SHAPES, type Shape } from './models.js'

/** K-quants have blocks of 256; where rows are no multiple of that, llama.cpp takes other types. */
const usual = {
  any: 'Q4_0,Q4_0+Q8_0,IQ4_NL,IQ4_NL+Q8_0,Q8_0,F16,BF16',
  ofBlocks: 'Q4_0,Q4_0+Q6_K,IQ4_NL,IQ4_NL+Q6_K,Q4_K,Q4_K+Q6_K,Q6_K,Q8_0',
}
const sizes = [1, 2, 4, 8, 16]
const rounds = 7
const probeMs = 2000

const { values, positionals } = readArguments(
  'types',
  {
    types: {
      type: 'string',
      value: 'A,B+C',
      help: 'TYPE, or TYPE+HEAD where the output head has another (default: the usual ones)',
    },
    folder: {
      type: 'string',
      value: 'FOLDER',
      help: 'where the models are kept (default: one in the system’s temporary folder)',
    },
    context: { type: 'string', default: '512', value: 'N', help: 'tokens of context' },
    write: { type: 'boolean', default: false, help: 'only write the models' },
  },
  { name: 'SHAPE', help: 'a published shape (default: qwen2.5-0.5b)' },
)
const [shape = 'qwen2.5-0.5b'] = positionals as Shape[]
const types = values.types ?? (SHAPES[shape]?.embedding % 256 === 0 ? usual.ofBlocks : usual.any)
const wanted = types.split(',').map((text) => text.split('+') as [TensorType, TensorType?])
const depth = Number(values.context)
if (!(shape in SHAPES) || !wanted.flat().every((type) => type! in TENSOR_TYPES) || !(depth > 0)) {
  refuse(
    'types',
    `expected a shape of ${Object.keys(SHAPES).join(', ')}, types of ${Object.keys(TENSOR_TYPES).join(', ')}, and a context above 0`,
  )
}
const threads = defaultThreads()
const files = wanted.map(([type, head]) => benchmarkModel({ shape, type, head, folder: values.folder }))
if (!values.write) {
  const machine = describeMachine()
  console.log(`${shape}, ${machine.cpu}, ${threads} of ${machine.cores} cores, after ${depth} tokens of context`)
  const rows = [['weights', 'head', 'GB', 'T(1) ms', ...sizes.slice(1).map((n) => `T(${n})/T(1)`), 'bit-exact']]
  const lines: Record<string, unknown>[] = []
  for (const [i, [type, head = type]] of wanted.entries()) {
    await using model = await loadModel(files[i], { exactness: 'bitwise', threads, profile: false })
    const { exactness } = await chooseConfiguration(model, {
      wish: 'bitwise',
      fixed: {},
      threads,
      budgetMs: probeMs,
    })
    const { level, keyType, valueType, flashAttention, largestDifference } = exactness
    const cache = { keyType, valueType, flashAttention }
    await using context = await Context.create(model, { ...cache, contextTokens: depth + 64, threads })
    await fillCache(context, depth)
    const [ms] = await timeSizes([context], sizes, depth, rounds)
    const gigabytes = statSync(files[i]).size / 1e9
    const exact = level === 'bitwise' ? 'yes' : `no (${largestDifference.toPrecision(2)})`
    const ratios = ms.slice(1).map((one) => (one / ms[0]).toFixed(2))
    rows.push([type, head, gigabytes.toFixed(2), ms[0].toFixed(2), ...ratios, exact])
    lines.push({ type, head, gigabytes, level, ...cache, largestDifference, sizes, ms })
  }
  console.log(formatTable(rows).join('\n'))
  console.log(JSON.stringify({ machine, shape, depth, threads, lines }))
}

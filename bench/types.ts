/**
 * Which weight types verify drafts cheaply: models of one shape in many types, with all tensors in that type and with
 * the output head in another as llama.cpp's own quantiser leaves it. The table of docs/exactness.md.
 *
 *     npm run bench:types -- qwen2.5-0.5b
 *
 *   --types A,B+C     TYPE, or TYPE+HEAD where the output head has another. Default: the usual ones
 *   --folder FOLDER   where the models are kept. Default: a folder in the system's temporary one
 *   --context N       tokens of context. Default 512
 *   --write           only write the models
 */
import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { formatTable } from '../src/cli/terminal.js'
import { Context, defaultThreads } from '../src/llama/context.js'
import { chooseConfiguration } from '../src/measure/configuration.js'
import { loadModel } from '../src/measure/loading.js'
import { TENSOR_TYPES, type TensorType } from '../test/helpers/gguf.js'
import { fillCache, timeSizes } from './forwards.js'
import { describeMachine } from './machine.js'
import { benchmarkModel, SHAPES, type Shape } from './models.js'

/** K-quants have blocks of 256; where rows are no multiple of that, llama.cpp takes other types. */
const usual = {
  any: 'Q4_0,Q4_0+Q8_0,IQ4_NL,IQ4_NL+Q8_0,Q8_0,F16,BF16',
  ofBlocks: 'Q4_0,Q4_0+Q6_K,IQ4_NL,IQ4_NL+Q6_K,Q4_K,Q4_K+Q6_K,Q6_K,Q8_0',
}
const sizes = [1, 2, 4, 8, 16]
const rounds = 7
const probeMs = 2000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    types: { type: 'string' },
    folder: { type: 'string' },
    context: { type: 'string', default: '512' },
    write: { type: 'boolean', default: false },
  },
})
const [shape = 'qwen2.5-0.5b'] = positionals as Shape[]
const types = values.types ?? (SHAPES[shape]?.embedding % 256 === 0 ? usual.ofBlocks : usual.any)
const wanted = types.split(',').map((text) => text.split('+') as [TensorType, TensorType?])
const depth = Number(values.context)
if (!(shape in SHAPES) || !wanted.flat().every((type) => type! in TENSOR_TYPES) || !(depth > 0)) {
  console.error(`usage: npm run bench:types -- SHAPE [--types A,B+C] [--folder FOLDER] [--context N] [--write]`)
  console.error(`  SHAPE ${Object.keys(SHAPES).join(' ')}\n  TYPE  ${Object.keys(TENSOR_TYPES).join(' ')}`)
  process.exit(2)
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

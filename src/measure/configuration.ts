// The choice of a context's configuration: exact, and fast.

import { longestDraft } from '../decode/decoder.js'
import { Context } from '../llama/context.js'
import { type CacheType, defaultThreads } from '../llama/context-options.js'
import type { Model } from '../llama/model.js'
import { ThreadPool } from '../llama/thread-pool.js'
import { fillCache, timeForward, undisturbed } from './forwards.js'
import { type ProbeResult, probeExactness } from './probe.js'

/**
 * What an engine is to achieve: `'bitwise'`, the fastest configuration in which drafts change no bit of any logits row, if
 * this model has one; `'token'`, the fastest of all, with the near-tie guard; `'fastest'`, the same without it.
 */
export type ExactnessWish = 'bitwise' | 'token' | 'fastest'

/** The options of a context that decide about exactness and speed. */
export interface Configuration {
  flashAttention: boolean
  keyType: CacheType
  valueType: CacheType
}

/** How exactly an engine's text agrees with conventional decoding, as probed at load. */
export interface Exactness extends ProbeResult, Configuration {
  /** The number of threads found fastest; missing if the user has chosen it. */
  threads?: number
}

/**
 * Two logits that each move by at most `d` come closer by at most twice that; {@link leastDifference} allows for what the
 * few rows of a probe may have missed.
 */
const noiseMargin = 2

/**
 * The difference assumed at least if rows are not known to be exact: plain attention differs so rarely that the probe may
 * see nothing.
 */
const leastDifference = 0.05

/**
 * How far the difference of two logits in a row may be from what a forward of one token has; 0 if the near-tie guard is not
 * needed or not wanted.
 */
export function noiseOf({ level, largestDifference }: ProbeResult, wish: ExactnessWish): number {
  return level === 'bitwise' || wish === 'fastest' ? 0 : noiseMargin * Math.max(leastDifference, largestDifference)
}

/**
 * Unequal types of keys and values switch off the kernels whose result depends on how many rows a forward has. Which order
 * is cheaper depends on the processor; the longer the context, the larger the difference.
 */
const unequalTypes: readonly Configuration[] = [
  { flashAttention: true, keyType: 'bf16', valueType: 'f16' },
  { flashAttention: true, keyType: 'f16', valueType: 'bf16' },
]

const equalTypes: Configuration = { flashAttention: true, keyType: 'f16', valueType: 'f16' }

const otherCandidates: readonly Configuration[] = [equalTypes, { ...equalTypes, flashAttention: false }]

/** For models that refuse unequal types (MLA): exact with bf16, which costs no more than inexact f16. */
const equalCandidates: readonly Configuration[] = [{ flashAttention: true, keyType: 'bf16', valueType: 'bf16' }]

/**
 * The exact candidates that a model accepts, found by trying; if it refuses all of them, those for models that want equal
 * types.
 */
export async function bitwiseCandidatesOf(
  model: Model,
  fixed: Partial<Configuration> = {},
): Promise<readonly Configuration[]> {
  // Devices support only equal types in attention, and leave others to the processor.
  if (model.residence !== 'processor') return acceptedBy(model, onDevices(fixed))
  // Our own attention keeps every bit with equal types too.
  const candidates = model.kernels ? [equalTypes, ...unequalTypes] : unequalTypes
  const accepted = await acceptedBy(model, complete(candidates, fixed))
  return accepted.length > 0 ? accepted : acceptedBy(model, complete(equalCandidates, fixed))
}

/** The candidate for devices: if the user has chosen one type, the other is the same. */
function onDevices(fixed: Partial<Configuration>): readonly Configuration[] {
  const { keyType = fixed.valueType, valueType = fixed.keyType } = fixed
  return complete([equalTypes], { ...fixed, keyType, valueType })
}

/** Candidates with what the user has chosen, without repetitions. */
function complete(candidates: readonly Configuration[], fixed: Partial<Configuration>): readonly Configuration[] {
  const completed = candidates.map((candidate) => ({ ...candidate, ...withoutUndefined(fixed) }))
  return completed.filter((one, i) => completed.findIndex((other) => isSame(one, other)) === i)
}

/** The candidates that a model accepts. */
async function acceptedBy(model: Model, candidates: readonly Configuration[]): Promise<readonly Configuration[]> {
  const accepted: Configuration[] = []
  for (const candidate of candidates) if (await Context.accepts(model, candidate)) accepted.push(candidate)
  return accepted
}

/** Whether the bits that a configuration's kernels give may depend on the number of threads: with equal f16 or f32. */
export function hangsOnThreads({ keyType, valueType }: Configuration): boolean {
  return keyType === valueType && keyType !== 'bf16'
}

/** Tokens of context, and rows, at which candidates are compared. */
const comparedContext = 480
const comparedRows = [1, 4, 8]
const mostRounds = 7

/** Time for the comparison; if not even three rounds fit, candidates keep their order. */
const comparisonMs = 400
const fewestRounds = 3

/** If the comparison takes this many times as long as its first rounds suggested, other programs are taken to be the reason. */
const heldUpFactor = 2

/** Time for comparing numbers of threads; models that would take longer use one per core. */
const threadsMs = 300

/** Milliseconds of a forward of one row beyond which there is no time for comparisons. */
const slowMs = 6

/**
 * Bytes of weights per millisecond below which a forward of one row is not slow but held up: a tenth of the memory speed of
 * small computers. And the milliseconds that a forward may take besides.
 */
const leastBytesPerMs = 500_000
const mostOverheadMs = 3

/** The most milliseconds that a forward of one row can take if nothing holds it up. */
export function plausibleMs(model: Model): number {
  return mostOverheadMs + model.describe().weightBytes / leastBytesPerMs
}

/**
 * Another choice must be this much faster, in all rounds but one: the choice may show in the text, and should not depend on
 * chance.
 */
const clearlyFaster = 0.9

/** Options of {@link chooseConfiguration}. */
export interface ConfigurationOptions {
  wish: ExactnessWish
  /** What the user has chosen. */
  fixed: Partial<Configuration>
  /** Default: what is measured to be fastest. */
  threads?: number
  /** Time the probe should keep to, in milliseconds. */
  budgetMs: number
  /** Whether requests will share forwards. Default `false`. */
  company?: boolean
  /** Where memory is a state: positions that must be possible to take back. Default 0. */
  rollback?: number
}

/** What was chosen. */
export interface Choice {
  exactness: Exactness
  /** Whether other programs held up forwards meanwhile: then the number of threads suits this moment only. */
  isHeldUp: boolean
}

/**
 * Chooses a configuration for a model: orders the candidates by measured speed, and for `bitwise` takes the first that
 * keeps every bit. If none does, takes the fastest of all, as for `token`.
 */
export async function chooseConfiguration(model: Model, options: ConfigurationOptions): Promise<Choice> {
  const { wish, fixed, budgetMs, company, rollback } = options
  const bitwise = await bitwiseCandidatesOf(model, fixed)
  const isElsewhere = model.residence !== 'processor'
  // On devices, plain attention is only for models that support nothing else there.
  const others = isElsewhere && bitwise.length > 0 ? [] : await acceptedBy(model, complete(otherCandidates, fixed))
  const all = complete([...others, ...bitwise], {})
  if (all.length === 0) await refuse(model, { ...otherCandidates[0], ...withoutUndefined(fixed) })
  const first =
    options.threads === undefined && model.residence !== 'device'
      ? await chooseThreads(model, all[0])
      : { threads: options.threads ?? defaultThreads(), isHeldUp: false, isSlow: false }
  const isExact = wish === 'bitwise' && bitwise.length > 0
  const candidates = isExact ? bitwise : all
  const { order, isHeldUp } = first.isSlow
    ? { order: candidates, isHeldUp: false }
    : await bySpeed(model, candidates, first.threads)
  // The cores were free when threads were compared, but no longer are.
  const threads = isHeldUp && options.threads === undefined ? 1 : first.threads
  const conditions = { threads, budgetMs, company, rollback }
  const found = isExact ? await findBitwise(model, order, all, conditions) : await probe(model, order[0], conditions)
  return {
    exactness: options.threads === undefined ? { ...found, threads } : found,
    isHeldUp: isHeldUp || first.isHeldUp,
  }
}

/** Throws llama.cpp's own error for a configuration that the user has chosen and this model refuses. */
async function refuse(model: Model, configuration: Configuration): Promise<never> {
  await using context = await Context.create(model, { ...configuration, contextTokens: 32, batchTokens: 1, threads: 1 })
  throw new Error(`a context of ${context.contextTokens} tokens was refused before`)
}

/** The first of some candidates that keeps every bit; if there is none, the fastest of all. */
async function findBitwise(
  model: Model,
  candidates: readonly Configuration[],
  all: readonly Configuration[],
  conditions: ProbeConditions,
): Promise<Exactness> {
  const each = { ...conditions, budgetMs: conditions.budgetMs / candidates.length }
  const results: Exactness[] = []
  for (const candidate of candidates) {
    const result = await probe(model, candidate, each)
    if (result.level === 'bitwise') return result
    results.push(result)
    // Weights without exact kernels (F16, BF16, F32) differ at once, whatever the cache.
    if (result.equalRows < result.rows / 2) break
  }
  if (candidates.length === 1) return results[0]
  const { order } = await bySpeed(model, all, conditions.threads)
  return probe(model, order[0], conditions)
}

/** What comparing numbers of threads has found. */
interface ThreadChoice {
  threads: number
  /** Whether other programs held up forwards meanwhile. */
  isHeldUp: boolean
  /** Whether forwards take so long that there is no time for comparisons. */
  isSlow: boolean
}

/**
 * The number of threads with which forwards are fastest: one per core, unless half as many or a single one is clearly
 * faster, as for tiny models, where threads wait for each other longer than they compute, or while other programs keep the
 * cores busy. Slow models are not compared.
 */
async function chooseThreads(model: Model, configuration: Configuration): Promise<ThreadChoice> {
  const most = defaultThreads()
  const candidates = [...new Set([most, Math.max(1, most >> 1), 1])]
  let best = most
  let bestMs = Number.POSITIVE_INFINITY
  let isHeldUp = false
  for (const threads of candidates) {
    await using context = await smallContext(model, configuration, threads)
    if (threads === most) {
      const singleMs = await timeSingle(context)
      if (singleMs > slowMs && singleMs < plausibleMs(model)) return { threads: most, isHeldUp, isSlow: true }
    }
    const first = await timeRound(context, 0)
    const times = [first.weightedMs]
    const isSlow = first.weightedMs * mostRounds * candidates.length > threadsMs
    if (isSlow && isPlausible(first.weightedMs, model)) return { threads: best, isHeldUp, isSlow: true }
    isHeldUp ||= isSlow
    const began = performance.now()
    for (let round = 0; !isSlow && round < mostRounds && performance.now() - began < threadsMs; round++)
      times.push((await timeRound(context, 0)).weightedMs)
    const ms = undisturbed(times)
    if (ms < clearlyFaster * bestMs) {
      best = threads
      bestMs = ms
    }
  }
  return { threads: best, isHeldUp, isSlow: false }
}

/**
 * Candidates with clearly faster ones first, or in their own order if there is no time to compare them; and whether other
 * programs came to hold up forwards.
 */
async function bySpeed(
  model: Model,
  candidates: readonly Configuration[],
  threads: number,
): Promise<{ order: readonly Configuration[]; isHeldUp: boolean }> {
  // Our own attention costs the same with all types.
  if (candidates.length === 1 || model.kernels || model.residence === 'device')
    return { order: candidates, isHeldUp: false }
  // One pool for all: idle threads of others would spin and take the cores.
  const pool = ThreadPool.create(model.library, threads, model.kernels)
  const contexts: Context[] = []
  try {
    contexts.push(await smallContext(model, candidates[0], threads, pool))
    await timeRound(contexts[0], 0)
    const first = await timeRound(contexts[0], 0)
    const rounds = Math.min(mostRounds, Math.floor(comparisonMs / first.wallMs / candidates.length))
    if (rounds < fewestRounds) return { order: candidates, isHeldUp: !isPlausible(first.weightedMs, model) }
    for (const candidate of candidates.slice(1)) contexts.push(await smallContext(model, candidate, threads, pool))
    // Recurrent memory cannot go back to a position, only to the beginning.
    const position = contexts[0].canBranch
      ? Math.max(0, Math.min(comparedContext, contexts[0].mostPositions - Math.max(...comparedRows)))
      : 0
    if (position > 0)
      for (const context of contexts) if (!(await context.occupy(position))) await fillCache(context, position)
    const times: number[][] = candidates.map(() => [])
    const began = performance.now()
    for (let round = 1; round <= rounds; round++) {
      for (const [i, context] of contexts.entries()) times[i].push((await timeRound(context, position)).weightedMs)
      // A round over a context takes longer than the first ones, but not twice as long.
      const foretoldMs = Math.max(comparisonMs, rounds * candidates.length * first.wallMs)
      if (performance.now() - began > heldUpFactor * foretoldMs) return { order: candidates, isHeldUp: true }
    }
    const order = candidates.map((_, i) => i)
    for (let i = 1; i < order.length; i++)
      for (let k = i; k > 0 && isClearlyFaster(times[order[k]], times[order[k - 1]]); k--)
        [order[k - 1], order[k]] = [order[k], order[k - 1]]
    return { order: order.map((i) => candidates[i]), isHeldUp: false }
  } finally {
    for (const context of contexts) await context[Symbol.asyncDispose]()
    pool.free()
  }
}

/** Whether a round can take this long on a slow machine that is otherwise idle. */
function isPlausible(roundMs: number, model: Model): boolean {
  return roundMs < comparedRows.length * plausibleMs(model)
}

/** Whether the rounds of one candidate took clearly less time than those of another, even on a busy machine. */
function isClearlyFaster(times: readonly number[], others: readonly number[]): boolean {
  const won = times.filter((ms, round) => ms < others[round]).length
  return won >= times.length - 1 && undisturbed(times) < clearlyFaster * undisturbed(others)
}

/** Milliseconds of a forward of one row: the better of two, after one that warms up. */
async function timeSingle(context: Context): Promise<number> {
  await timeForward(context, 1, 0)
  return Math.min(await timeForward(context, 1, 0), await timeForward(context, 1, 0))
}

/** One forward of each size, after one of the same shape: their milliseconds, equally weighted, and the total. */
async function timeRound(context: Context, position: number): Promise<{ weightedMs: number; wallMs: number }> {
  const start = performance.now()
  let weightedMs = 0
  for (const rows of comparedRows) {
    await timeForward(context, rows, position)
    weightedMs += (await timeForward(context, rows, position)) / (1 + rows / 4)
  }
  return { weightedMs, wallMs: performance.now() - start }
}

/** Most nodes of the drafts with which devices are probed. */
const mostDeviceNodes = 64

/** The conditions under which candidates are probed. */
interface ProbeConditions {
  threads: number
  budgetMs: number
  company: boolean | undefined
  rollback: number | undefined
}

async function probe(
  model: Model,
  configuration: Configuration,
  { threads, budgetMs, company, rollback }: ProbeConditions,
): Promise<Exactness> {
  await using context = await smallContext(model, configuration, threads, undefined, rollback)
  // Devices choose kernels by size, up to the largest draft.
  const nodes = model.residence === 'processor' ? undefined : mostDeviceNodes
  const result = await probeExactness(context, { budgetMs, company, nodes })
  // Plain attention differs rarely, and only far into a context: a short probe may miss what the text would show.
  const isPlain = !configuration.flashAttention
  const level = (isPlain || routesInexactly(model)) && longestDraft(context) > 0 ? 'token' : result.level
  return { ...result, level, ...configuration }
}

/**
 * Whether llama.cpp's kernels choose the experts. Then one row in one or two hundred differs, which a short probe may miss;
 * probably because routers are F32, and their products depend on how many rows a forward has.
 */
function routesInexactly(model: Model): boolean {
  return !model.kernels && Number(model.metadata(`${model.describe().architecture}.expert_count`) ?? 0) > 0
}

function smallContext(
  model: Model,
  configuration: Configuration,
  threads: number,
  pool?: ThreadPool,
  rollback?: number,
): Promise<Context> {
  // States of sequences are large; cells are not.
  const size = { contextTokens: 512, batchTokens: 512, maxSequences: model.isRecurrent ? 2 : 5 }
  return Context.create(model, { ...configuration, ...size, threads, pool, rollback })
}

function isSame(a: Configuration, b: Configuration): boolean {
  return a.flashAttention === b.flashAttention && a.keyType === b.keyType && a.valueType === b.valueType
}

function withoutUndefined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>
}

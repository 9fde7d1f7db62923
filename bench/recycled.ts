/**
 * Copied logits (RACER): of the last place where the same token stood, what else was likely there, as further leaves of
 * the draft. What that brings beside retrieval: tokens per forward, the share of such leaves that come true, and the speed
 * that follows by T(n).
 *
 *     npm run bench -- recycled                        answers of the embedded model, with its logits
 *     npm run bench -- recycled --traces FILE.jsonl    recorded answers, with the logits that a model of ours has for them
 */
import { costCurves, readCostCurve } from '../src/cli/cost-curves.js'
import { readRecordings, tokenizeRecordings } from '../src/cli/recordings.js'
import { formatTable } from '../src/cli/terminal.js'
import { Spelling } from '../src/corpus/spelling.js'
import type { Drafter, DraftSession } from '../src/draft/drafter.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { DraftSource, DraftTree } from '../src/draft/tree.js'
import { Engine } from '../src/engine/engine.js'
import { Context } from '../src/llama/context.js'
import { Model } from '../src/llama/model.js'
import { type Recording, replay } from '../src/rivals/replay.js'
import { simulateEngine } from '../src/rivals/simulation.js'
import { readArguments } from './kit/arguments.js'
import { embeddedModel, samplePrompts } from './kit/embedded.js'

const { values } = readArguments('recycled', {
  model: { type: 'string', value: 'FILE', help: 'GGUF whose logits are copied (default: the embedded model)' },
  traces: { type: 'string', value: 'FILE', help: 'recorded answers (default: the model answers sample questions)' },
  requests: { type: 'string', default: '40', value: 'N', help: 'answers' },
  temperature: { type: 'string', default: '0', value: 'T', help: 'of the answers that the model gives' },
  choices: { type: 'string', default: '4', value: 'K', help: 'largest logits copied of each row' },
})
const file = values.model ?? embeddedModel
const choices = Number(values.choices)
const requests = Number(values.requests)
const mostAnswer = 200

/** The likeliest tokens of each row of an answer. */
type Rows = readonly Int32Array[]

/** Remembers of each token what was likely behind it the last time, and hangs that into the tree of another drafter. */
class RecyclingDrafter implements Drafter {
  readonly name = 'recycling'
  readonly #inner: Drafter
  readonly #rowsByAnswer: readonly Rows[]
  #answers = 0
  readonly latest = new Map<number, Int32Array>()
  /** By rank: leaves that came true, and that could have. */
  readonly kept = new Float64Array(choices)
  readonly judged = new Float64Array(choices)
  readonly nodes = { leaves: 0, cameTrue: 0 }

  constructor(inner: Drafter, rowsByAnswer: readonly Rows[]) {
    this.#inner = inner
    this.#rowsByAnswer = rowsByAnswer
  }

  open(): DraftSession {
    return new RecyclingSession(
      this,
      this.#inner.open(),
      this.#rowsByAnswer[this.#answers++ % this.#rowsByAnswer.length],
    )
  }
}

class RecyclingSession implements DraftSession {
  readonly #found = new DraftTree(64)
  readonly #drafter: RecyclingDrafter
  readonly #inner: DraftSession
  readonly #rows: Rows
  #at = 0
  #last = -1
  #tree: DraftTree | undefined

  constructor(drafter: RecyclingDrafter, inner: DraftSession, rows: Rows) {
    this.#drafter = drafter
    this.#inner = inner
    this.#rows = rows
  }

  read(tokens: ArrayLike<number>): void {
    this.#inner.read(tokens)
    if (tokens.length > 0) this.#last = tokens[tokens.length - 1]
  }

  draft(tree: DraftTree, budgetNodes: number): void {
    const { latest, kept, judged } = this.#drafter
    const found = this.#found
    this.#inner.draft(found, Math.min(budgetNodes, found.capacityNodes))
    const all = Array.from({ length: found.size }, (_, node) => ({
      token: found.tokens[node],
      parent: found.parents[node],
      p: found.probabilities[node],
      source: found.sources[node] as number,
      match: found.matchLengths[node],
    }))
    for (let node = -1; node < found.size; node++) {
      const path = node < 0 ? 1 : found.probabilities[node]
      if (path < 0.1) continue
      let left = path
      for (let child = node + 1; child < found.size; child++)
        if (found.parents[child] === node) left -= found.probabilities[child]
      const likely = latest.get(node < 0 ? this.#last : found.tokens[node])
      for (const [rank, token] of (likely ?? []).entries())
        if (found.childOf(node, token) < 0)
          all.push({
            token,
            parent: node,
            p: Math.max(0, left) * ((kept[rank] + 0.2) / (judged[rank] + 2)),
            source: DraftSource.external,
            match: 0,
          })
    }
    // A stable sort: parents, no less probable and earlier, stay before their children.
    const order = all.map((_, i) => i).sort((a, b) => all[b].p - all[a].p || a - b)
    const placed = new Map([[-1, -1]])
    tree.clear()
    for (const i of order) {
      const { token, parent, p, source, match } = all[i]
      const at = placed.get(parent)
      if (tree.size === Math.min(budgetNodes, tree.capacityNodes)) break
      if (at !== undefined && p > 0) placed.set(i, tree.add(token, at, p, source, match))
    }
    this.#tree = tree
  }

  accept(tokens: ArrayLike<number>, count: number): void {
    const { latest, kept, judged, nodes } = this.#drafter
    if (this.#tree) {
      // What is learnt: how often each rank is right where retrieval is wrong.
      if (this.#found.childOf(-1, tokens[0]) < 0)
        for (const [rank, token] of (latest.get(this.#last) ?? []).entries()) {
          judged[rank]++
          if (token === tokens[0]) kept[rank]++
        }
      let node = -1
      for (let i = 0; i < count; i++) {
        node = this.#tree.childOf(node, tokens[i])
        if (node < 0) break
        if (this.#tree.sources[node] === DraftSource.external) nodes.cameTrue++
      }
      for (let k = 0; k < this.#tree.size; k++) if (this.#tree.sources[k] === DraftSource.external) nodes.leaves++
      this.#tree = undefined
    }
    for (let i = 0; i < count; i++) {
      const row = this.#rows[this.#at++]
      if (row && this.#last >= 0) latest.set(this.#last, row)
      this.#last = tokens[i]
    }
    this.#inner.accept(tokens, count)
  }

  close(): void {
    this.#inner.close()
  }
}

/** The model's own answers to sample questions. */
async function answered(): Promise<Recording[]> {
  await using engine = await Engine.load({ model: file, threads: 1 })
  const recordings: Recording[] = []
  for (const [seed, { question, documents }] of samplePrompts().slice(0, requests).entries()) {
    const conversation = { messages: [{ role: 'user', content: question }], documents }
    const asked = { ...conversation, maxTokens: mostAnswer, temperature: Number(values.temperature), seed }
    const { tokens } = await engine.chat(asked).result
    recordings.push({ prompt: engine.tokenizeChat(conversation), response: tokens })
  }
  return recordings
}

/** The largest logits of every row of an answer, the answer given. */
async function rowsOf(context: Context, { prompt, response }: Recording): Promise<Rows> {
  const { batch, vocabularySize } = context
  const rows: Int32Array[] = []
  context.clear()
  const all = [...Array.from(prompt), ...Array.from(response)]
  for (let at = 0; at < all.length - 1; ) {
    batch.clear()
    const first = at
    const end = Math.min(all.length - 1, at + batch.capacity)
    for (; at < end; at++) batch.addSequence(batch.add(all[at], at, at >= prompt.length - 1), 0)
    await context.decode()
    for (let i = Math.max(first, prompt.length - 1); i < end; i++) {
      const begin = batch.outputRows[i - first] * vocabularySize
      const logits = context.logits.subarray(begin, begin + vocabularySize)
      const best: number[] = []
      for (let token = 0; token < vocabularySize; token++) {
        if (best.length === choices && logits[token] <= logits[best[choices - 1]]) continue
        best.push(token)
        best.sort((a, b) => logits[b] - logits[a])
        best.length = Math.min(best.length, choices)
      }
      rows.push(Int32Array.from(best))
    }
  }
  return rows
}

await using model = await Model.load(file)
const spelling = new Spelling(model.vocabulary)
const recordings = values.traces
  ? tokenizeRecordings(await readRecordings(values.traces, [], requests), model.vocabulary).map(
      ({ prompt, response }): Recording => ({
        prompt: Array.prototype.slice.call(prompt, -1200),
        response: Array.prototype.slice.call(response, 0, mostAnswer),
      }),
    )
  : await answered()
const context = await Context.create(model, { contextTokens: 1536, batchTokens: 256, threads: 1 })
const rows: Rows[] = []
for (const recording of recordings) rows.push(await rowsOf(context, recording))
await context[Symbol.asyncDispose]()

const retrieval = () => new RetrievalDrafter({ spelling })
const table = [['nodes', 'retrieval', 'with copied logits', 'of such leaves came true']]
for (const budget of [4, 8, 16, 64]) {
  const recycling = new RecyclingDrafter(retrieval(), rows)
  const [plain, both] = [replay(recordings, retrieval(), { budget }), replay(recordings, recycling, { budget })]
  const { leaves, cameTrue } = recycling.nodes
  const share = `${((100 * cameTrue) / Math.max(1, leaves)).toFixed(1)} % of ${leaves}`
  table.push([String(budget), plain.edl.toFixed(3), both.edl.toFixed(3), share])
}
console.log(`Tokens per forward, ${recordings.length} answers, ${choices} logits of each row\n`)
for (const line of formatTable(table)) console.log(line)

const speeds = [['conventional time over time, by T(n)', 'retrieval', 'with copied logits']]
for (const name of Object.keys(costCurves)) {
  const cost = readCostCurve(name).record
  const speedOf = (drafter: Drafter) => {
    const { conventionalMs, forwardMs, rebuildMs } = simulateEngine(recordings, drafter, { draft: 'auto', cost })
    return (conventionalMs / (forwardMs + rebuildMs)).toFixed(3)
  }
  speeds.push([name, speedOf(retrieval()), speedOf(new RecyclingDrafter(retrieval(), rows))])
}
console.log('')
for (const line of formatTable(speeds)) console.log(line)

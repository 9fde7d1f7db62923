import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { costCurves, readCostCurve } from '../../src/cli/cost-curves.js'
import { type SimulateOptions, type SimulationRow, simulate } from '../../src/cli/simulate.js'
import type { Terminal } from '../../src/cli/terminal.js'
import { ForwardCost } from '../../src/cost/forward-cost.js'
import type { Drafter, DraftSession, DraftTree } from '../../src/draft/index.js'
import { embeddedModel } from '../../src/hub/fetch-model.js'
import { drafterNames, drafters, type Recording, replay } from '../../src/rivals/index.js'
import { simulateEngine } from '../../src/rivals/simulation.js'

const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-simulate-'))
const traces = path.join(folder, 'traces.jsonl')
const terms =
  'The premium is refunded within thirty days of cancellation in writing. The card costs five euros and is sent by post.'

beforeAll(() => {
  const records = Array.from({ length: 6 }, (_, k) => ({
    prompt: `${terms} What about request ${k}?`,
    response: `${terms.slice(0, 60 + 5 * k)} That is all.`,
    group: `g${k >> 1}`,
  }))
  writeFileSync(traces, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Rows of both kinds; what one kind lacks is undefined. */
type Row = Omit<SimulationRow, 'budget'> & { budget: number | 'auto' }

async function run(options: Partial<SimulateOptions> = {}): Promise<{ text: string; rows: Row[] }> {
  let text = ''
  const terminal: Terminal = { out: (part) => (text += part), err: () => {}, colours: false, watched: false }
  const defaults = { traces: [traces], vocab: embeddedModel(), budget: [4, 16], drafter: 'all', limit: 10 }
  const rows = await simulate({ ...defaults, curve: 'flat', ...options }, terminal)
  return { text, rows: rows as Row[] }
}

/** Numbers that repeat themselves, with a few of their own. */
const recordings: Recording[] = Array.from({ length: 8 }, (_, k) => ({
  prompt: Array.from({ length: 60 }, (_, i) => 10 + ((i * 7) % 23)),
  response: Array.from({ length: 40 }, (_, i) => (i % 9 === k ? 500 + i : 10 + ((i * 7) % 23))),
}))

describe('lookahead simulate', () => {
  it('sends requests to replicas in turn, which share what they have read if they are told to', async () => {
    const lookahead = { drafter: 'lookahead', budget: [16] }
    const edl = async (options: Partial<SimulateOptions>) => (await run({ ...lookahead, ...options })).rows[0].edl
    const one = await edl({})
    const apart = await edl({ replicas: 3 })
    const sharing = await run({ ...lookahead, replicas: 3, share: true })
    expect(sharing.text).toContain(', 3 replicas that share')
    expect(apart).toBeLessThan(one)
    expect(sharing.rows[0].edl).toBeGreaterThan(apart)
    await expect(run({ share: true })).rejects.toThrow('--share needs --replicas of at least 2')
    await expect(run({ drafter: 'paper-trie', replicas: 2, share: true })).rejects.toThrow(
      /works with the drafter lookahead/,
    )
  })

  it('shows every drafter side by side, with every figure', async () => {
    const { text, rows } = await run()
    for (const name of drafterNames)
      expect(rows.filter(({ drafter }) => drafter === name).map(({ budget }) => budget)).toEqual([4, 16, 'auto'])
    for (const heading of ['EDL', 'DL', 'waste', 'µs', 'µs p99', 'MiB', 'ideal ×', 'speed ×'])
      expect(text).toContain(heading)
    for (const row of rows) {
      expect(row.edl).toBeGreaterThanOrEqual(1)
      expect(row.tokens).toBe(rows[0].tokens)
      expect(row.speed).toBeLessThanOrEqual(row.idealised)
      expect(row.recordings ?? 6).toBe(6)
      if (row.budget !== 'auto') expect(row.bytes).toBeGreaterThan(0)
    }
    const edlOf = (name: string) => rows.find(({ drafter, budget }) => drafter === name && budget === 16)!.edl
    expect(edlOf('lookahead')).toBeGreaterThan(1.5)
    expect(edlOf('oracle')).toBeGreaterThan(1.5)
  })

  it('prints one JSON object as the last line when asked', async () => {
    const { text, rows } = await run({ json: true, drafter: 'lookahead' })
    const last = JSON.parse(text.trimEnd().split('\n').at(-1)!)
    expect(last).toMatchObject({ cold: false, ungrouped: false, limit: 10 })
    expect(last.rows.length).toBe(rows.length)
    expect(last.curve.about).toBe(costCurves.flat.about)
  })

  it('knows answers of the same group only when told so, and none at all when cold', async () => {
    const edlOf = async (options: Partial<SimulateOptions>) =>
      (await run({ ...options, drafter: 'oracle', budget: [16] })).rows[0].edl
    const usual = await edlOf({})
    expect(await edlOf({ ungrouped: true })).toBeGreaterThanOrEqual(usual)
    expect(await edlOf({ cold: true })).toBeLessThanOrEqual(usual)
  })

  it('refuses what it cannot use with a sentence', async () => {
    await expect(run({ curve: path.join(folder, 'none.json') })).rejects.toThrow(
      /--curve: expected .*flat.*: it does not exist/,
    )
    await expect(run({ curve: traces })).rejects.toThrow(/is not what lookahead probe --json prints/)
    await expect(run({ filter: ['group=other'] })).rejects.toThrow(/holds no requests with group=other/)
  })
})

describe('cost curves', () => {
  it('are all curves', () => {
    for (const name of Object.keys(costCurves)) {
      const cost = ForwardCost.from(readCostCurve(name).record)
      expect(cost.ms(1)).toBeCloseTo(costCurves[name].single)
      expect(cost.ms(16)).toBeGreaterThan(cost.ms(1))
    }
  })

  it('are read from what probe --json writes', () => {
    const file = path.join(folder, 'probe.json')
    const cost = {
      points: [
        { rows: 1, ms: 2 },
        { rows: 8, ms: 4 },
      ],
      perContextToken: [{ rows: 1, ms: 0.001 }],
      rebuildMs: 0.1,
    }
    writeFileSync(file, `a table for people\n\n${JSON.stringify({ model: 'm.gguf', threads: 2, cost })}\n`)
    const curve = readCostCurve(file)
    expect(curve.about).toContain('m.gguf, 2 threads')
    expect(ForwardCost.from(curve.record).ms(8, 1000)).toBeCloseTo(5)
  })
})

describe('simulated engine', () => {
  const { record } = readCostCurve('flat')

  it('emits the recorded answers, whatever is drafted', () => {
    for (const name of drafterNames) {
      const report = simulateEngine(recordings, drafters[name](), { draft: 'auto', cost: record })
      expect(report.tokens).toBe(8 * 39)
      // Every forward brings a bonus token, but for the one whose last drafted token ends the answer.
      expect(report.accepted).toBeGreaterThanOrEqual(report.tokens - report.forwards)
      expect(report.accepted).toBeLessThanOrEqual(report.tokens - report.forwards + recordings.length)
    }
  })

  it('agrees with a replay where sizes are given and drafts do not branch', () => {
    for (const name of ['prompt-lookup', 'oracle'] as const) {
      const { edl, drafted } = replay(recordings, drafters[name](), { budget: 6 })
      const report = simulateEngine(recordings, drafters[name](), { draft: 6, cost: record })
      expect(report.tokens / report.forwards).toBeCloseTo(edl)
      // The engine does not verify what would go past the end of the context.
      expect(report.drafted).toBeLessThanOrEqual(drafted)
    }
  })

  it('is conventional decoding without drafts', () => {
    const report = simulateEngine(recordings, drafters.lookahead(), { draft: 'off', cost: record })
    expect(report.forwards).toBe(report.tokens)
    expect(report.forwardMs).toBeCloseTo(report.conventionalMs)
  })

  it('gives up on a drafter that is always wrong', () => {
    const wrong: Drafter = {
      name: 'wrong',
      open: (): DraftSession => ({
        read() {},
        draft(tree: DraftTree, budget: number) {
          tree.clear()
          for (let k = 0; k < Math.min(budget, 4); k++) tree.add(900_000 + k, k - 1, 0.9 ** (k + 1), 3, 1)
        },
        accept() {},
        close() {},
      }),
    }
    const { record: cpu } = readCostCurve('0.5b-q4_0')
    const long = Array.from({ length: 20 }, () => recordings[0])
    const report = simulateEngine(long, wrong, { draft: 'auto', cost: cpu })
    expect(report.conventionalMs / (report.forwardMs + report.rebuildMs)).toBeGreaterThan(0.85)
    const always = simulateEngine(long, wrong, { draft: 4, cost: cpu })
    expect(always.conventionalMs / always.forwardMs).toBeLessThan(0.4)
  })
})

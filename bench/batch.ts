import { Engine } from '../src/engine/engine.js'
import type { DraftMode } from '../src/engine/options.js'
import type { Task } from './contest/contestant.js'
import { type Spread, spread, sum } from './statistics.js'

/** So many requests at the same time: tokens per second of all together. */
export interface BatchPoint {
  slots: number
  conventional: Spread
  lookahead: Spread
  speedup: Spread
  /** Answers compared, and how many were the same in both ways. Beside others there are holes in the cache. */
  answers: number
  identical: number
}

/** How much is measured: numbers of requests at a time, and rounds of each. */
export interface BatchPlan {
  slots: readonly number[]
  rounds: number
}

/** Answers all tasks with so many at a time, in both ways in turns. */
export async function measureBatches(
  model: string,
  tasks: readonly Task[],
  { threads, slots, rounds }: BatchPlan & { threads: number },
): Promise<BatchPoint[]> {
  const points: BatchPoint[] = []
  for (const count of slots) {
    await using engine = await Engine.load({ model, threads, slots: count, contextTokens: 1024 })
    await answerAll(engine, tasks.slice(0, count), 'off')
    const speeds: Record<'off' | 'auto', number[]> = { off: [], auto: [] }
    let answers = 0
    let identical = 0
    for (let round = 0; round < rounds; round++) {
      const texts: Record<string, string[]> = {}
      for (const draft of round % 2 === 0 ? (['off', 'auto'] as const) : (['auto', 'off'] as const)) {
        const outcome = await answerAll(engine, tasks, draft)
        speeds[draft].push(outcome.tokensPerSecond)
        texts[draft] = outcome.texts
      }
      answers += tasks.length
      identical += texts.off.filter((text, i) => text === texts.auto[i]).length
    }
    points.push({
      slots: count,
      conventional: spread(speeds.off),
      lookahead: spread(speeds.auto),
      speedup: spread(speeds.auto.map((speed, i) => speed / speeds.off[i])),
      answers,
      identical,
    })
  }
  return points
}

async function answerAll(
  engine: Engine,
  tasks: readonly Task[],
  draft: DraftMode,
): Promise<{ tokensPerSecond: number; texts: string[] }> {
  const began = performance.now()
  const results = await Promise.all(
    tasks.map(({ prompt, maxTokens }) => engine.complete({ prompt, maxTokens, draft, cachePrompt: false }).result),
  )
  const tokens = sum(results, (result) => result.tokens.length)
  return {
    tokensPerSecond: (1000 * tokens) / (performance.now() - began),
    texts: results.map(({ text }) => text),
  }
}

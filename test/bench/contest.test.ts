import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { hold } from '../../bench/contest/contest.js'
import type { Answer, Contestant, Task } from '../../bench/contest/contestant.js'
import { OthersWatch } from '../../bench/kit/others.js'

const tasks: Task[] = ['a', 'b', 'c'].map((id) => ({
  id,
  kind: id === 'c' ? 'long' : 'short',
  prompt: [1],
  text: id,
  maxTokens: 8,
}))

/** Answers in so many milliseconds per token, with a forward for every `edl` tokens, and writes down when it is asked. */
function fake(name: string, msPerToken: number, edl: number, calls: string[], overrides: Partial<Contestant> = {}) {
  const answer = async ({ id }: Task): Promise<Answer> => {
    calls.push(`${name} ${id}`)
    const forwards = 12 / edl
    const rows = [0, ...Array<number>(edl - 1).fill(0), forwards]
    const counts = { forwards, drafted: forwards * (edl - 1), forwardMs: 12, retrievalMs: 0.012, rows }
    return { tokens: [1, 2, 3], text: 'x', decoded: 12, prefillMs: 1, decodeMs: 12 * msPerToken, ...counts }
  }
  return {
    name,
    about: '',
    start: async () => ({ cost: [1, 2, 4].map((n) => ({ rows: n, ms: n === 1 ? 1 : 2 })) }),
    reset: async () => {
      calls.push(`${name} reset`)
    },
    answer,
    close: async () => {},
    ...overrides,
  } satisfies Contestant
}

describe('the watch on others', () => {
  /** A `/proc` in which all cores have been busy, and process 7 has run, for so many hundredths of a second. */
  const proc = (ticks: { busy: number; own: number }) => (name: string) => {
    if (name === '/proc/stat') return `cpu  ${ticks.busy} 0 0 900 0 0 0 0 0 0\ncpu0 1 2 3`
    if (name === '/proc/7/stat') return `7 (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 ${ticks.own} 0 0 0`
    throw new Error(`no ${name}`)
  }

  it('takes time of ours from the time that cores were busy', async () => {
    const ticks = { busy: 1000, own: 100 }
    const all = new OthersWatch(() => [], proc(ticks))
    const others = new OthersWatch(() => [7, 8], proc(ticks))
    await setTimeout(20)
    Object.assign(ticks, { busy: 1050, own: 150 })
    expect(others.share()).toBe(0)
    expect(all.share()).toBeGreaterThan(0)
  })

  it('knows nothing where the system does not tell', () => {
    const silent = new OthersWatch(
      () => [7],
      () => {
        throw new Error('no /proc')
      },
    )
    expect(silent.share()).toBeUndefined()
  })
})

describe('a contest', () => {
  it('asks everyone every task in turns, with an empty memory, and lets another one begin each round', async () => {
    const calls: string[] = []
    await hold([fake('one', 1, 1, calls), fake('two', 1, 1, calls)], { title: '', tasks, rounds: 2 })
    const turn = (name: string) => [`${name} reset`, `${name} a`, `${name} b`, `${name} c`]
    expect(calls.slice(0, 6)).toEqual(['one a', 'one b', 'one c', 'two a', 'two b', 'two c'])
    expect(calls.slice(6)).toEqual([...turn('two'), ...turn('one'), ...turn('one'), ...turn('two')])
  })

  it('holds a turn again that other programs disturbed, makes no speed of it, and loses patience', async () => {
    const calls: string[] = []
    const shares = [0, 0.5, 0, 0.5, 0.5]
    const watch = { start() {}, share: () => shares.shift(), rest: async (least: number) => least }
    // Disturbed, it takes ten times as long.
    const answer = async (task: Task) => {
      calls.push(task.id)
      return { ...(await fake('one', shares[0] ? 10 : 1, 1, []).answer(task)) }
    }
    const contestants = [fake('one', 1, 1, calls, { pid: 1, answer }), fake('two', 1, 1, calls, { pid: 2 })]
    const options = { title: '', tasks, watch }
    const { samples, turns, standings } = await hold(contestants, { ...options, rounds: 1, patienceMs: 1000 })
    expect(turns.map(({ contestant, counts }) => [contestant, counts])).toEqual([
      ['two', true],
      ['one', false],
      ['one', true],
    ])
    expect(samples).toHaveLength(9)
    expect(standings[0].tokensPerSecond.median).toBeCloseTo(1000)
    expect(standings[0].answers).toBe(6)
    const impatient = await hold(contestants, { ...options, rounds: 1 })
    expect(impatient.turns.map(({ others, counts }) => [others, counts])).toEqual([
      [0.5, true],
      [0.5, true],
    ])
  })

  it('compares speeds of the same round, and what T(n) alone would give', async () => {
    const { standings, kinds } = await hold([fake('one', 2, 1, []), fake('two', 1, 4, [])], {
      title: '',
      tasks,
      rounds: 3,
    })
    expect(standings[1].speedup.median).toBeCloseTo(2)
    expect(standings[1].edl).toBe(4)
    expect(standings[1].dl).toBe(4)
    // 12 tokens in 3 forwards of 4 rows, 2 ms each, instead of 12 of 1 ms.
    expect(standings[1].idealised).toBeCloseTo(2)
    expect(kinds.map(({ kind, tasks: count }) => [kind, count])).toEqual([
      ['short', 2],
      ['long', 1],
    ])
  })

  it('counts answers that are not those of the reference', async () => {
    const other = fake('two', 1, 1, [])
    const answer = async (task: Task) => ({
      ...(await other.answer(task)),
      tokens: task.id === 'b' ? [1, 2] : [1, 2, 3],
    })
    const { standings } = await hold([fake('one', 1, 1, []), { ...other, answer }], { title: '', tasks, rounds: 2 })
    expect(standings[1]).toMatchObject({ answers: 6, identical: 4 })
  })

  it('goes on without those that cannot start or fail, and says why', async () => {
    const absent = fake('two', 1, 1, [], { start: () => Promise.reject(new Error('not installed')) })
    let asked = 0
    const failing = fake('three', 1, 1, [])
    const answer = async (task: Task) => {
      if (++asked === 5) throw new Error('gone')
      return failing.answer(task)
    }
    const contestants = [fake('one', 1, 1, []), absent, { ...failing, answer }]
    const { standings, entries } = await hold(contestants, { title: '', tasks, rounds: 1 })
    expect(standings.map(({ contestant }) => contestant)).toEqual(['one'])
    expect(entries.map(({ absent }) => absent)).toEqual([undefined, 'not installed', 'failed in round 1: gone'])
  })

  it('holds one round, however short the time', async () => {
    const { rounds } = await hold([fake('one', 1, 1, [])], { title: '', tasks, rounds: 9, limitMs: 0 })
    expect(rounds).toBe(1)
  })
})

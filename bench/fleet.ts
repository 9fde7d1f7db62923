/**
 * Replicas that share, measured: how many tokens a forward brings, how soon an answer can be drafted from elsewhere, what
 * that costs, and what is left after everything that may go wrong went wrong. The figures of `docs/fleet.md`.
 *
 *     npm run bench -- fleet --traces FOLDER --vocab FILE.gguf     all of it
 *     npm run bench -- fleet --only speed                          one part: length, speed or chaos
 *
 * Speed and chaos start a `redis-server` of their own, which must be on the PATH, and one process for each replica.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openVocabulary } from '../src/cli/recordings.js'
import { ReplicatedDrafter } from '../src/cli/replicas.js'
import { Spelling } from '../src/corpus/spelling.js'
import { drafters } from '../src/rivals/drafters.js'
import { replay } from '../src/rivals/replay.js'
import { freePort } from '../test/helpers/free-port.js'
import { RedisServer, redisProgram } from '../test/helpers/redis-server.js'
import { readArguments, refuse } from './kit/arguments.js'
import { readTexts, recordingOptions, type TextName } from './kit/recordings.js'
import { mean, median, quantile } from './kit/statistics.js'

const texts: TextName[] = [
  'RAG, claude-haiku-4.5',
  'RAG, qwen3-235b',
  'Spec-Bench RAG',
  'tau-bench agent',
  'ReAct agent',
]

const { values } = readArguments('fleet', {
  ...recordingOptions,
  only: { type: 'string', value: 'PART', help: 'length (needs --traces and --vocab), speed or chaos' },
  replicas: { type: 'string', value: 'N', default: '4', help: 'replicas' },
  rate: { type: 'string', value: 'N', default: '200', help: 'answers a second, of all replicas together' },
  tokens: { type: 'string', value: 'N', default: '300', help: 'tokens of an answer' },
  seconds: { type: 'string', value: 'N', default: '15', help: 'how long speed is measured, each time' },
  rounds: { type: 'string', value: 'N', default: '1', help: 'how often, in turns; medians count' },
  partition: { type: 'string', value: 'SECONDS', default: '60', help: 'how long the server hangs in chaos' },
})
const count = Number(values.replicas)
const tokens = Number(values.tokens)
const wants = (part: string) => values.only === undefined || values.only === part

/** A replica in a process of its own. */
class Member {
  readonly process: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor(share = '', port = '0', key = '') {
    const file = fileURLToPath(new URL('./fleet/member.js', import.meta.url))
    this.process = spawn(process.execPath, [file, share, port, key], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#answers = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]()
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a member answers is its own affair
  async ask(command: string): Promise<any> {
    this.process.stdin!.write(`${command}\n`)
    const { value } = await this.#answers.next()
    if (value === undefined) throw new Error(`a replica ended at '${command}'`)
    return JSON.parse(value)
  }

  async kill(): Promise<void> {
    const ended = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await ended
  }
}

function startRedis(...options: string[]): Promise<RedisServer> {
  if (redisProgram === undefined) refuse('fleet', 'speed and chaos need a redis-server on the PATH')
  return RedisServer.start(...options)
}

if (wants('length')) await length()
if (wants('speed')) await speed()
if (wants('chaos')) await chaos()

/** Tokens per forward of one server, of several apart, and of several that share. */
async function length(): Promise<void> {
  const { traces, vocab } = values
  if (traces === undefined || vocab === undefined) {
    if (values.only === undefined) return console.log('length: left out, it needs --traces and --vocab\n')
    refuse('fleet', 'length needs --traces FOLDER and --vocab FILE')
  }
  using vocabulary = await openVocabulary(vocab)
  const spelling = new Spelling(vocabulary)
  const make = () => drafters.lookahead(spelling)
  console.log(`tokens per forward, 16 nodes, requests in turn to ${count} replicas\n`)
  console.log('| workload | one server | apart | | sharing | |\n|---|---|---|---|---|---|')
  for await (const { name, recordings } of readTexts(traces, vocabulary, texts, 250)) {
    const edl = async (drafter: ReplicatedDrafter) => {
      const report = replay(recordings, drafter, { budget: 16 })
      await drafter[Symbol.asyncDispose]()
      return report.edl
    }
    const one = await edl(new ReplicatedDrafter(1, false, make))
    const apart = await edl(new ReplicatedDrafter(count, false, make))
    const sharing = await edl(new ReplicatedDrafter(count, true, make))
    const share = (value: number) => `${((100 * value) / one).toFixed(1)} %`
    console.log(
      `| ${name} | ${one.toFixed(2)} | ${apart.toFixed(2)} | ${share(apart)} | ${sharing.toFixed(2)} | ${share(sharing)} |`,
    )
  }
  console.log('')
}

/** How soon an answer can be drafted from elsewhere, and what processor time sharing takes. */
async function speed(): Promise<void> {
  const perMember = Number(values.rate) / count
  console.log(`${values.rate} answers a second of ${tokens} tokens, by ${count} replicas, ${values.seconds} s\n`)
  console.log(
    '| | delay p50 | p99 | most | timers late by, p99 | of a core, each | beside it, taking all, sharing nothing | for sharing |\n|---|---|---|---|---|---|---|---|',
  )
  const redis = async () => {
    await using server = await startRedis()
    return await run(
      Array.from({ length: count }, () => new Member(server.url)),
      perMember,
    )
  }
  const http = async () => {
    const ports = await Promise.all(Array.from({ length: count }, freePort))
    const urls = ports.map((port) => `http://127.0.0.1:${port}`).join(',')
    return await run(
      ports.map((port) => new Member(urls, String(port), 'a key')),
      perMember,
    )
  }
  const runs = [redis, http].map((measure) => ({ measure, found: [] as Run[] }))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const { measure, found } of runs) found.push(await measure())
  line('Redis', runs[0].found)
  line('HTTP', runs[1].found)
  console.log('')
}

/** What was measured of some members. */
interface Run {
  /** Processor time of one, as a part of one core. */
  share: number
  /** The same of one that takes all and shares nothing. */
  apart: number
  /** In milliseconds. */
  delays: number[]
  /** Milliseconds. */
  lag: number
}

/**
 * Lets members write. As many processes, on the same machine at the same time, remember the same number of answers
 * without sharing: what a processor does for a process changes from minute to minute.
 */
async function run(members: readonly Member[], perSecond: number): Promise<Run> {
  const others = Array.from({ length: count }, () => new Member())
  const ask = (command: (perSecond: number) => string) =>
    Promise.all([
      Promise.all(members.map((member) => member.ask(command(perSecond)))),
      Promise.all(others.map((other) => other.ask(command(Number(values.rate))))),
    ])
  await ask(() => 'caught-up')
  // A server runs for days: what is compiled and connected first is not what is measured.
  await ask((rate) => `begin ${2 * rate} ${tokens}`)
  await sleep(10_000)
  await ask(() => 'end')
  await sleep(2000)
  await ask((rate) => `begin ${rate} ${tokens}`)
  await sleep(Number(values.seconds) * 1000)
  const [ends, apart]: Omit<Run, 'apart'>[][] = await ask(() => 'end')
  for (const member of [...members, ...others]) await member.kill()
  return {
    share: mean(ends.map(({ share }) => share)),
    apart: mean(apart.map(({ share }) => share)),
    lag: Math.max(...ends.map(({ lag }) => lag)),
    delays: ends.flatMap(({ delays }) => delays),
  }
}

function line(name: string, found: readonly Run[]): void {
  const delays = found.flatMap((one) => one.delays)
  const at = (part: number) => `${quantile(delays, part).toFixed(0)} ms`
  const middle = (of: (one: Run) => number) => median(found.map(of))
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`
  const costs = found.map(({ share, apart }) => share - apart)
  const range = found.length > 1 ? ` (${percent(Math.min(...costs))} to ${percent(Math.max(...costs))})` : ''
  const cells = [
    name,
    ...[at(0.5), at(0.99), at(1)],
    `${middle(({ lag }) => lag).toFixed(0)} ms`,
    ...[percent(middle(({ share }) => share)), percent(middle(({ apart }) => apart))],
    percent(median(costs)) + range,
  ]
  console.log(`| ${cells.join(' | ')} |`)
}

/** Everything that may go wrong, under load; in the end all must hold the same, and nothing deleted. */
async function chaos(): Promise<void> {
  console.log(`chaos: ${values.rate} answers a second, ${count} replicas\n`)
  await using redis = await startRedis('--appendonly', 'yes')
  const members = Array.from({ length: count }, () => new Member(redis.url))
  await Promise.all(members.map((member) => member.ask('caught-up')))
  const begin = () => Promise.all(members.map((member) => member.ask(`begin ${Number(values.rate) / count} ${tokens}`)))

  await step('a document, and its deletion elsewhere', async () => {
    await members[0].ask('document one')
    await until('all have it', (documents) => documents.includes('one'))
    const { ms, at } = await members[1].ask('forget one')
    await until('none has it', (documents) => !documents.includes('one'))
    return `acknowledged after ${ms.toFixed(0)} ms, gone everywhere ${Date.now() - at} ms later at most`
  })
  await step('kill -9 of a replica, and a new one', async () => {
    await members[count - 1].kill()
    await sleep(1000)
    members[count - 1] = new Member(redis.url)
    const began = performance.now()
    await members[count - 1].ask('caught-up')
    const ms = performance.now() - began
    return `caught up after ${ms.toFixed(0)} ms`
  })
  await step('kill -9 of Redis, for 5 s', async () => {
    await members[0].ask('document two')
    await until('all have it', (documents) => documents.includes('two'))
    await redis.kill()
    await sleep(1000)
    const { ms } = await members[1].ask('forget two')
    await sleep(4000)
    await redis.start()
    await until('none has it', (documents) => !documents.includes('two'))
    return `a deletion meanwhile was acknowledged after ${ms.toFixed(0)} ms, and reached all`
  })
  await step(`Redis hangs for ${values.partition} s`, async () => {
    await members[0].ask('document three')
    await until('all have it', (documents) => documents.includes('three'))
    redis.pause()
    await sleep(1000)
    const { ms } = await members[1].ask('forget three')
    await sleep(Number(values.partition) * 1000 - 1000)
    redis.resume()
    await until('none has it', (documents) => !documents.includes('three'))
    return `a deletion meanwhile was acknowledged after ${ms.toFixed(0)} ms, and reached all`
  })
  await step('a replica that hangs for 10 s', async () => {
    members[1].process.kill('SIGSTOP')
    await members[0].ask('document four')
    await members[0].ask('forget four')
    await sleep(10_000)
    members[1].process.kill('SIGCONT')
    await until('none has it', (documents) => !documents.includes('four'))
    return 'it caught up'
  })
  for (const member of members) await member.kill()

  /** Does something to replicas that write, then looks whether all hold the same once they are quiet. */
  async function step(name: string, act: () => Promise<string>): Promise<void> {
    await begin()
    const what = await act()
    await Promise.all(members.map((member) => member.ask('end')))
    console.log(`${name}: ${what}; ${await agreed()}`)
  }

  async function agreed(): Promise<string> {
    let last: unknown
    for (let k = 0; k < 100; k++) {
      const digests = await Promise.all(members.map((member) => member.ask('digest')))
      const [{ records, sum, counters }] = digests
      if (digests.every((digest) => digest.records === records && digest.sum === sum))
        return `all hold the same ${records} records (refused ${JSON.stringify(counters.refused)}, missed ${counters.missed})`
      last = digests
      await sleep(200)
    }
    throw new Error(`they differ: ${JSON.stringify(last)}`)
  }

  async function until(what: string, holds: (documents: string[]) => boolean): Promise<void> {
    for (let k = 0; k < 600; k++) {
      const answers = await Promise.all(members.map((member) => member.ask('documents')))
      if (answers.every(({ documents }) => holds(documents))) return
      await sleep(20)
    }
    throw new Error(`not after a while: ${what}`)
  }
}

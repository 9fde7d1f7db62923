/**
 * One replica of `bench fleet`, in a process of its own: writes answers at a steady rate, counts what comes from others,
 * and how long it took. Told what to do by its parent, line by line; answers with one JSON object per line.
 */
import { createServer } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { getRequestListener } from '@hono/node-server'
import { Corpus, type CorpusRecord } from '../../src/corpus/index.js'
import { type Fleet, joinFleet } from '../../src/fleet/fleet.js'

const [share = '', port = '0', key = ''] = process.argv.slice(2)
const corpus = new Corpus({ namespaceBytes: 2 ** 28, totalBytes: 2 ** 28 })
const lines: string[] = []
let fleet: Fleet | undefined
/** Milliseconds from when a record was added there to when it could be drafted from here. */
let delays: number[] = []
let own = 0
let timer: NodeJS.Timeout | undefined
let cpu = process.cpuUsage()
/** How late timers are: whether the machine has time for us. */
const lag = monitorEventLoopDelay({ resolution: 5 })
lag.enable()
let since = performance.now()

if (share !== '') {
  fleet = await joinFleet(corpus, {
    share: share.split(','),
    key: key === '' ? undefined : key,
    fingerprint: '0123456789abcdef',
    vocabularySize: 200_000,
    log: (line) => lines.push(line),
  })
  if (fleet.answer) createServer(getRequestListener(fleet.answer)).listen(Number(port), '127.0.0.1')
  corpus.watch({
    // Of answers that others have written, by their name; the record's time is that of the writer.
    added: (_, record: CorpusRecord) => {
      if (!record.names[0]?.startsWith(`${process.pid} `)) delays.push(Date.now() - record.time)
    },
    renamed: () => {},
    removed: () => {},
    cleared: () => {},
  })
}

function write(tokens: number): void {
  const answer = Int32Array.from({ length: tokens }, () => Math.floor(Math.random() * 30_000))
  corpus.addRequest(answer, 'default', `${process.pid} ${own++}`)
}

/** What is held, in two numbers, so that members can be compared. */
function digest(): { records: number; sum: number } {
  let records = 0
  let sum = 0
  for (const namespace of corpus.namespaces())
    for (const { start, length } of namespace.records) {
      records++
      for (let k = 0; k < length; k++) sum = (sum + namespace.log.at(start + k) * (k + 1)) % 1_000_000_007
    }
  return { records, sum }
}

const tell = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [command, ...rest] = line.split(' ')
  if (command === 'caught-up') tell({ caughtUp: (await fleet?.replica.caughtUp(15_000)) ?? true })
  else if (command === 'begin') {
    const [perSecond, tokens] = rest.map(Number)
    delays = []
    cpu = process.cpuUsage()
    lag.reset()
    since = performance.now()
    let due = since
    clearInterval(timer)
    timer = setInterval(() => {
      for (; due < performance.now(); due += 1000 / perSecond) write(tokens)
    }, 5)
    tell({})
  } else if (command === 'end') {
    clearInterval(timer)
    const { user, system } = process.cpuUsage(cpu)
    const share = (user + system) / 1000 / (performance.now() - since)
    tell({ share, delays, own, lag: lag.percentile(99) / 1e6 - 5 })
  } else if (command === 'document') {
    corpus.addDocument({ id: rest[0], text: rest[0] }, () => Int32Array.from({ length: 200 }, (_, k) => k + 1))
    await corpus.flush()
    tell({})
  } else if (command === 'forget') {
    const began = performance.now()
    corpus.delete({ document: rest[0] })
    await corpus.flush()
    tell({ ms: performance.now() - began, at: Date.now() })
  } else if (command === 'documents') {
    const names = [...corpus.namespaces()].flatMap(({ records }) =>
      Array.from(records).flatMap(({ kind, names }) => (kind === 'document' ? names : [])),
    )
    tell({ documents: names })
  } else if (command === 'digest') tell({ ...digest(), lines, own, counters: fleet && describe(fleet) })
  else if (command === 'quit') process.exit(0)
})

function describe({ replica }: Fleet) {
  const { refused, missed, gaps, known, dead, taken } = replica.counters
  return { refused: Object.fromEntries(refused), missed, gaps, known, dead, taken: taken.records }
}

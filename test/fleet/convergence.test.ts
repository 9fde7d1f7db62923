import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Corpus } from '../../src/corpus/index.js'
import { type Message, readMessages } from '../../src/fleet/message.js'
import { Replica } from '../../src/fleet/replica.js'
import { checkIntegrity } from '../corpus/corpus-twin.js'
import { held, holdings } from './fleet-twin.js'
import { type Fate, LossyChannel } from './lossy-channel.js'

const fingerprint = '0123456789abcdef'
const limits = { fingerprint, vocabularySize: 1000, messageBytes: 2 ** 20 }
const tokensOf = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0))
const fates: Fate[] = ['through', 'through', 'through', 'late', 'twice', 'lost']

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('request' as const),
      at: fc.nat(2),
      space: fc.nat(1),
      id: fc.nat(3),
      text: fc.nat(9),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('document' as const),
      at: fc.nat(2),
      space: fc.nat(1),
      id: fc.nat(3),
      text: fc.nat(4),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constantFrom('forget document' as const, 'forget request' as const),
      at: fc.nat(2),
      space: fc.nat(1),
      id: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('forget all' as const), at: fc.nat(2), space: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('run' as const),
      count: fc.nat(12),
      ms: fc.constantFrom(0, 1, 20, 40_000),
    }),
  },
)

describe('replicas over a channel that loses, repeats and reorders', () => {
  it('agree in the end on what the rules say of all that was said', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 1, maxLength: 60 }),
        fc.array(fc.nat(5), { minLength: 8, maxLength: 8 }),
        fc.tuple(fc.nat(20_000), fc.nat(20_000), fc.nat(20_000)),
        async (operations, luck, skews) => {
          let time = 1_000_000
          let drawn = 0
          const draw = () => luck[drawn++ % luck.length] + (drawn % 3)
          const channel = new LossyChannel(
            () => fates[draw() % fates.length],
            (n) => draw() % n,
          )
          const members = skews.map((skew) => {
            const now = () => time + skew
            const corpus = new Corpus({ now })
            return { corpus, replica: new Replica(corpus, { fingerprint, vocabularySize: 1000, now }) }
          })
          for (const { replica } of members) channel.join(replica)
          for (const step of operations) {
            if (step.what === 'run') {
              time += step.ms
              await channel.run(step.count)
              continue
            }
            const { corpus } = members[step.at]
            const namespace = `space ${step.space}`
            if (step.what === 'forget all') corpus.delete({ namespace })
            else if (step.what === 'forget document') corpus.delete({ namespace, document: `id ${step.id}` })
            else if (step.what === 'forget request') corpus.delete({ namespace, request: `id ${step.id}` })
            else {
              const id = step.id === 0 ? undefined : `id ${step.id}`
              const text = `text ${(step as { text: number }).text}`
              if (step.what === 'request') corpus.addRequest(tokensOf(text), namespace, id)
              else corpus.addDocument({ id, text }, tokensOf, namespace)
            }
            if (step.what.startsWith('forget') && step.what !== 'forget all') {
              const kind = step.what.slice('forget '.length) as 'document' | 'request'
              const name = `id ${(step as { id: number }).id}`
              expect(corpus.refresh(namespace)?.records.named(kind, name) ?? []).toEqual([])
            }
          }
          await channel.run(200)
          await channel.reconcile()
          const said: Message[] = []
          for (const { replica } of members)
            for (const { frame, writer } of replica.log.after(0, Number.POSITIVE_INFINITY))
              if (writer === replica.id)
                for (const { message } of readMessages(frame, limits, expect.fail)) said.push(message)
          const expected = holdings(said)
          for (const { corpus, replica } of members) {
            expect(held(corpus)).toEqual(expected)
            expect([...replica.counters.refused]).toEqual([])
            checkIntegrity(corpus)
            await replica[Symbol.asyncDispose]()
          }
        },
      ),
      { numRuns: 600 },
    )
  })
})

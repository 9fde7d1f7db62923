// Which functions allocate while drafting.

import { Session } from 'node:inspector/promises'
import type { Corpus } from '../../src/corpus/corpus.js'
import { RetrievalDrafter } from '../../src/draft/retrieval.js'
import { DraftTree } from '../../src/draft/tree.js'
import type { Recording } from '../../src/rivals/replay.js'

/** Prints which functions allocate while drafts are made and scored, in bytes per draft. */
export async function showAllocations(corpus: Corpus, asked: readonly Recording[]): Promise<void> {
  const drafter = new RetrievalDrafter({ corpus })
  const tree = new DraftTree(16)
  const one = new Int32Array(1)
  /** Drafts along answers; the request itself is opened and read outside of what is measured. */
  const sessions = asked.slice(0, 200).map(({ prompt, response }) => {
    const session = drafter.open()
    session.read(prompt)
    return { session, response }
  })
  let drafts = 0
  const play = (from: number, to: number) => {
    for (const { session, response } of sessions)
      for (let at = from; at < Math.min(to, response.length); at++) {
        session.draft(tree, 16)
        one[0] = response[at]
        session.accept(one, 1)
        drafts++
      }
  }
  // Until everything is compiled.
  play(0, 40)
  drafts = 0
  const allocations = await profileAllocations(() => play(40, 240))
  const total = allocations.reduce((sum, { bytes }) => sum + bytes, 0)
  console.log(
    `${drafts} drafts of 16 nodes, each with one token accepted: ${(total / drafts).toFixed(1)} bytes per draft\n`,
  )
  for (const { where, bytes } of allocations.slice(0, 12))
    console.log(`${(bytes / drafts).toFixed(2).padStart(8)}  ${where}`)
}

/** What one function allocated. */
interface Allocation {
  /** Name and place in the source. */
  where: string
  bytes: number
}

/** A node of the profile that V8 gives. */
interface ProfileNode {
  callFrame: { functionName: string; url: string; lineNumber: number }
  selfSize: number
  children: ProfileNode[]
}

/**
 * Runs something and says which functions allocated on the heap of JavaScript, most first: V8's sampling profile, a
 * sample every 512 bytes on average, objects that were collected meanwhile included.
 */
async function profileAllocations(run: () => void): Promise<Allocation[]> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.enable')
    const everything = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
    await session.post('HeapProfiler.startSampling', { samplingInterval: 512, ...everything })
    run()
    const { profile } = await session.post('HeapProfiler.stopSampling')
    const bytes = new Map<string, number>()
    const add = ({ callFrame, selfSize, children }: ProfileNode) => {
      const { functionName, url, lineNumber } = callFrame
      const file = url.replace(/^.*\/dist-bench\//, '')
      const where = `${functionName === '' ? '(anonymous)' : functionName} ${file}${file === '' ? '' : `:${lineNumber + 1}`}`
      if (selfSize > 0) bytes.set(where.trim(), (bytes.get(where.trim()) ?? 0) + selfSize)
      for (const child of children) add(child)
    }
    add(profile.head)
    return Array.from(bytes, ([where, size]) => ({ where, bytes: size })).sort((a, b) => b.bytes - a.bytes)
  } finally {
    session.disconnect()
  }
}

// Which functions allocate.

import { Session } from 'node:inspector/promises'

/** What one function allocated. */
export interface Allocation {
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
export async function profileAllocations(run: () => void): Promise<Allocation[]> {
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

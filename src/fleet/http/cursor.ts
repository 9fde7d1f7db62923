/**
 * How far a peer has read a replica's log. Peers hand it back as they got it.
 *
 *     3f…9a.d120.t88     reads deletions, has those up to the 120th; goes on with what was said after place 88
 *     3f…9a.r4711.t88    reads records, has those up to number 4711
 *     3f…9a.t88          has all there was, and what was said up to place 88
 */
export interface Cursor {
  /** The replica whose log it is. */
  replica: string
  phase: 'deletions' | 'records' | 'log'
  /** Last deletion or record that is known. */
  last: number
  /** Place in the log. */
  place: number
}

export function writeCursor({ replica, phase, last, place }: Cursor): string {
  const part = phase === 'log' ? '' : `.${phase === 'deletions' ? 'd' : 'r'}${last}`
  return `${replica}${part}.t${place}`
}

/** Reads a cursor; `undefined` if it is none. */
export function readCursor(text: string): Cursor | undefined {
  const [, replica, phase, last, place] = /^([0-9a-f]{16})(?:\.([dr])(\d{1,15}))?\.t(\d{1,15})$/.exec(text) ?? []
  if (replica === undefined) return undefined
  return {
    replica,
    phase: phase === 'd' ? 'deletions' : phase === 'r' ? 'records' : 'log',
    last: Number(last ?? 0),
    place: Number(place),
  }
}

// Which namespaces are shared.

import { FleetError } from './error.js'

/** Says of a namespace whether it is shared. */
export type Sharing = (namespace: string) => boolean

/**
 * Reads which namespaces are shared: names, of which `*` stands for any text, and `!` before one takes it out again.
 *
 * @example
 * readSharing(['*', '!internal-*'])('acme')   // true
 * @throws FleetError `invalid-parameter`
 */
export function readSharing(patterns: readonly string[]): Sharing {
  const rules = patterns.map((pattern) => {
    const without = pattern.startsWith('!')
    const text = without ? pattern.slice(1) : pattern
    if (text === '')
      throw new FleetError('invalid-parameter', 'expected names of namespaces to share, got an empty one')
    const parts = text.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    return { without, expression: new RegExp(`^${parts.join('.*')}$`, 's') }
  })
  // Names that are only taken out are taken out of all.
  const all = rules.every(({ without }) => without)
  return (namespace) => {
    let shared = all
    for (const { without, expression } of rules) if (expression.test(namespace)) shared = !without
    return shared
  }
}

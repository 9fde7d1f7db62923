// Engines that are compared with each other.

import { Engine } from '../../src/engine/engine.js'
import type { EngineOptions } from '../../src/engine/options.js'

/**
 * Loads an engine for each way, one after the other since they are measured at load: all with the configuration and the
 * threads that the first has chosen, as others may be as exact, and another one would be compared.
 */
export async function loadAlike<Way extends string>(
  ways: Readonly<Record<Way, Partial<EngineOptions>>>,
  common: Partial<EngineOptions>,
): Promise<Record<Way, Engine>> {
  const engines = {} as Record<Way, Engine>
  let chosen: Partial<EngineOptions> = {}
  for (const way of Object.keys(ways) as Way[]) {
    const engine = await Engine.load({ profile: false, ...common, ...chosen, ...ways[way] })
    engines[way] = engine
    const { keyType, valueType, flashAttention } = engine.exactness
    chosen = { keyType, valueType, flashAttention, threads: engine.threads }
  }
  return engines
}

// Backends for devices: libraries that lie beside llama.cpp's own, and why one of them is of no use.

import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { GgmlFunctions } from './ggml.js'
import { type Pointer, registerLogCallback } from './native.js'
import { deviceAdvice } from './packages.js'

/** The file of a backend for devices, e.g. `libggml-cuda.so`; the others are ggml itself and what helps the processor. */
const deviceBackend = /^(?:lib)?ggml-(?!base|cpu|blas)([a-z]+)\.(?:so|dylib|dll)$/

/** Backends that register under another name than their file has. */
const registryNames: Record<string, string> = { metal: 'MTL', hip: 'ROCm' }

/** Backends for devices whose libraries lie in a folder, by the names of their files. */
export function deviceBackendsIn(folder: string): string[] {
  return readdirSync(folder).filter((file) => deviceBackend.test(file))
}

/**
 * Loads the backends that lie in a folder. ggml says nothing of those that do not load, so they are tried once more.
 *
 * @param silence a native function for ggml to log to afterwards
 * @returns why some of those for devices could not be loaded, a phrase each
 */
export function loadBackends(ggml: GgmlFunctions, folder: string, silence: Pointer): string[] {
  const problems: string[] = []
  let said: string[] = []
  const log = registerLogCallback((_, text) => said.push(text.trim()))
  ggml.ggml_log_set(log.pointer, null)
  try {
    ggml.ggml_backend_load_all_from_path(folder)
    for (const file of deviceBackendsIn(folder)) {
      const name = file.replace(deviceBackend, '$1')
      if (ggml.ggml_backend_reg_by_name(registryNames[name] ?? name)) continue
      said = []
      if (ggml.ggml_backend_load(path.join(folder, file))) continue
      const reason = said
        .map((line) => line.replace(/^\w+: (?:failed to load \S+: )?/, ''))
        .filter((line) => line !== '')
      problems.push(`${file} could not be loaded${reason.length > 0 ? `: ${reason.join('; ')}` : ''}`)
    }
    return problems
  } finally {
    ggml.ggml_log_set(silence, null)
    log.free()
  }
}

/** Why there is no device but the processor: what did not load, what was passed over, or what to install. */
export function describeTrouble(folder: string, problems: readonly string[], backends: readonly string[]): string {
  if (problems.length > 0) return problems.join('; ')
  if (backends.length > 0) return `${backends.join(' and ')} of ${nameOf(folder)} sees none`
  return `the llama.cpp of ${nameOf(folder)} is for the processor alone; ${deviceAdvice()}`
}

/** A package's name, or the folder. */
function nameOf(folder: string): string {
  return /@node-llama-cpp[/\\][\w-]+(?=[/\\]bins)/.exec(folder)?.[0].replaceAll('\\', '/') ?? folder
}

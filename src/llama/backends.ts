// Backends for devices: libraries that lie beside llama.cpp's own, and why one of them is of no use.

import { readdirSync } from 'node:fs'
import path from 'node:path'
import type { GgmlFunctions } from './ggml.js'
import { type Pointer, registerLogCallback } from './native.js'
import { deviceAdvice } from './packages.js'

/** The file of a backend for devices, e.g. `libggml-cuda.so`; the others are ggml itself and what helps the processor. */
const deviceBackend = /^(?:lib)?ggml-(?!base|cpu|blas)([a-z]+)\.(?:so|dylib|dll)$/

/** Backends that register under another name than their file has. */
const otherNames: Record<string, string> = { metal: 'MTL', hip: 'ROCm' }

/** The name under which the backend in a file registers; ggml does not mind its case. */
function registryNameOf(file: string): string {
  const name = file.replace(deviceBackend, '$1')
  return otherNames[name] ?? name
}

/** Backends for devices whose libraries lie in a folder, by the names of their files. */
function deviceBackendsIn(folder: string): string[] {
  return readdirSync(folder).filter((file) => deviceBackend.test(file))
}

/**
 * Loads the backends that lie in a folder. ggml says nothing of those that do not load, so they are tried once more.
 *
 * @param silence a native function for ggml to log to afterwards
 * @returns why those for devices are of no use, a phrase for each that is not
 */
export function loadBackends(ggml: GgmlFunctions, folder: string, silence: Pointer): string[] {
  const problems: string[] = []
  let said: string[] = []
  const log = registerLogCallback((_, text) => said.push(text.trim()))
  ggml.ggml_log_set(log.pointer, null)
  try {
    ggml.ggml_backend_load_all_from_path(folder)
    const complaints = said
    for (const file of deviceBackendsIn(folder)) {
      said = []
      const loaded =
        ggml.ggml_backend_reg_by_name(registryNameOf(file)) ?? ggml.ggml_backend_load(path.join(folder, file))
      if (!loaded) problems.push(describeFailure(file, said))
      else if (Number(ggml.ggml_backend_reg_dev_count(loaded)) === 0)
        problems.push(describeBlindness(file, nameOf(folder), [...complaints, ...said], process.env))
    }
    return problems
  } finally {
    ggml.ggml_log_set(silence, null)
    log.free()
  }
}

/** Why a backend did not load, by what ggml said of it. */
export function describeFailure(file: string, said: readonly string[]): string {
  // Vulkan's lists nothing if no driver is installed at all.
  if (said.some((line) => line.includes('returned NULL'))) return `${file} finds no driver`
  const reason = said.map((line) => line.replace(/^\w+: (?:failed to load \S+: )?/, '')).filter((line) => line !== '')
  return `${file} could not be loaded${reason.length > 0 ? `: ${reason.join('; ')}` : ''}`
}

/** Variables that hide devices, by the backends that heed them. */
const hidingVariables: Record<string, readonly string[]> = {
  cuda: ['CUDA_VISIBLE_DEVICES'],
  hip: ['HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'CUDA_VISIBLE_DEVICES'],
  vulkan: ['GGML_VK_VISIBLE_DEVICES'],
  sycl: ['ONEAPI_DEVICE_SELECTOR'],
}

/** Why a backend that has loaded sees no device: what it complained of, what hides them, or that none answers. */
export function describeBlindness(
  file: string,
  origin: string,
  said: readonly string[],
  environment: Record<string, string | undefined>,
): string {
  const backend = file.replace(deviceBackend, '$1')
  const name = registryNameOf(file).toLowerCase()
  const complaint = said
    .map((line) => /failed to initialize (\w+): (.+)/.exec(line))
    .find((found) => found?.[1].toLowerCase() === name)?.[2]
  const hiding = (hidingVariables[backend] ?? []).flatMap((name) =>
    environment[name] === undefined ? [] : [`${name}=${environment[name]}`],
  )
  const why =
    complaint !== undefined
      ? `: ${complaint}`
      : hiding.length > 0
        ? ` with ${hiding.join(' and ')}`
        : backend === 'vulkan'
          ? ' (software devices count only where GGML_VK_VISIBLE_DEVICES names them, e.g. 0)'
          : ''
  return `${file} of ${origin} sees no device${why}`
}

/** What to install for devices if nothing for them is installed. */
export function describeLack(folder: string): string {
  return `the llama.cpp of ${nameOf(folder)} is for the processor alone; ${deviceAdvice()}`
}

/** A package's name, or the folder. */
function nameOf(folder: string): string {
  return /@node-llama-cpp[/\\][\w-]+(?=[/\\]bins)/.exec(folder)?.[0].replaceAll('\\', '/') ?? folder
}

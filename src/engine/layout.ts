// How an engine is laid out: its options, checked and completed.

import { totalmem } from 'node:os'
import { mostSequences } from '../llama/context-options.js'
import type { DeviceOptions } from '../llama/device.js'
import type { ExactnessWish } from '../measure/configuration.js'
import { EngineError } from './error.js'
import { checkNames, optionNames } from './option-names.js'
import { checkExactness, checkInteger, checkObject, type EngineOptions } from './options.js'

/** How an engine is laid out, as far as that can be said before its model is loaded. */
export interface Layout {
  /** Path or name of the model, and of the one that drafts for it. */
  model: string
  draftModel: string | undefined
  slots: number
  branches: number
  maxNodes: number
  exactness: ExactnessWish
  maxPauseMs: number | undefined
  /** Most bytes of prompts kept aside, in memory and on the disk. */
  keptBytes: number
  shelfBytes: number
}

/** Checks the options of an engine and puts defaults where they say nothing. @throws EngineError `invalid-parameter` */
export function layoutOf(options: EngineOptions): Layout {
  checkObject('options', options)
  checkNames('an engine', options, optionNames.engine)
  const { model = 'embedded', draftModel, maxPauseMs } = options
  checkName('model', model)
  const slots = checkInteger('slots', options.slots ?? 1, 1, mostSequences)
  // One id is left for what keeps the cells of several requests in order.
  const mostBranches = Math.max(1, Math.floor((mostSequences - (slots > 1 ? 1 : 0)) / slots))
  const branches = checkInteger('branches', options.branches ?? Math.min(8, mostBranches), 1, 64)
  if (slots * branches > mostSequences)
    throw new EngineError(
      'invalid-parameter',
      `slots × branches must be at most ${mostSequences}, got ${slots} × ${branches} = ${slots * branches}`,
    )
  const maxNodes = checkInteger('maxNodes', options.maxNodes ?? 64, 0, 256)
  if (options.threads !== undefined) checkInteger('threads', options.threads, 1, 512)
  if (options.contextTokens) checkInteger('contextTokens', options.contextTokens, 8, 2 ** 24)
  const keptBytes = checkInteger(
    'promptCacheBytes',
    options.promptCacheBytes ?? Math.min(8 * 2 ** 30, Math.floor(totalmem() / 4)),
    0,
    Number.MAX_SAFE_INTEGER,
  )
  const shelfBytes = checkInteger('promptDiskBytes', options.promptDiskBytes ?? 0, 0, Number.MAX_SAFE_INTEGER)
  if (shelfBytes > 0 && options.cache === undefined)
    throw new EngineError('invalid-parameter', 'promptDiskBytes needs a cache: prompts are kept in its folder')
  if (maxPauseMs !== undefined) checkInteger('maxPauseMs', maxPauseMs, 1, 2 ** 31 - 1)
  const exactness = checkExactness(options.exactness ?? 'bitwise')
  if (draftModel !== undefined) checkName('draftModel', draftModel)
  checkDevices(options)
  return { model, draftModel, slots, branches, maxNodes, exactness, maxPauseMs, keptBytes, shelfBytes }
}

/** Most tokens of one request, by what the model was trained with. */
export function contextTokensOf(wanted: number | undefined, trained: number): number {
  return wanted === 0 ? trained : Math.min(trained, wanted ?? 4096)
}

/** Checks where a model shall lie; whether there are such devices is seen when it is loaded. */
export function checkDevices(options: DeviceOptions): void {
  const { gpuLayers, device, mainGpu, tensorSplit, splitMode, cpuMoe, opOffload } = options
  const refuse = (name: string, expected: string, got: unknown): never => {
    throw new EngineError('invalid-parameter', `${name} must be ${expected}, got ${JSON.stringify(got) ?? String(got)}`)
  }
  if (gpuLayers !== undefined && gpuLayers !== 'auto' && gpuLayers !== 'all' && !isIntegerFrom(-1, gpuLayers))
    refuse('gpuLayers', "a number of layers from 0, 'auto' or 'all'", gpuLayers)
  const names = typeof device === 'string' ? device.split(',') : (device ?? ['none'])
  if (
    !Array.isArray(names) ||
    names.length === 0 ||
    names.some((name) => typeof name !== 'string' || name.trim() === '')
  )
    refuse('device', "names of devices, or 'none'", device)
  if (mainGpu !== undefined) checkInteger('mainGpu', mainGpu, 0, 255)
  if (
    tensorSplit !== undefined &&
    !(Array.isArray(tensorSplit) && tensorSplit.some((share) => share > 0) && tensorSplit.every((share) => share >= 0))
  )
    refuse('tensorSplit', 'shares from 0, not all of them 0', tensorSplit)
  if (splitMode !== undefined && !['none', 'layer', 'row'].includes(splitMode))
    refuse('splitMode', "'none', 'layer' or 'row'", splitMode)
  if (cpuMoe !== undefined && typeof cpuMoe !== 'boolean' && !isIntegerFrom(0, cpuMoe))
    refuse('cpuMoe', 'true, false or a number of layers', cpuMoe)
  if (opOffload !== undefined && typeof opOffload !== 'boolean') refuse('opOffload', 'true or false', opOffload)
}

function isIntegerFrom(least: number, value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least
}

function checkName(option: string, name: unknown): void {
  if (typeof name === 'string' && name !== '') return
  throw new EngineError('invalid-parameter', `${option} must be the path or name of a model, got ${String(name)}`)
}

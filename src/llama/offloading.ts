// Which layers of a model go to devices, and what is said where they do not fit.

import type { ModelParams } from './abi.js'
import type { Device, DeviceOptions } from './device.js'
import { expertTensors, Fitting, gibibytes, type Trial } from './fitting.js'
import type { GgufHeader } from './gguf.js'
import type { LlamaLibrary } from './library.js'
import { addressOf, type Pointer } from './native.js'
import type { Placement } from './placement.js'

/** Repeating layers, as the file says. */
export function layersOf({ scalars }: GgufHeader): number {
  return Number(scalars.get(`${scalars.get('general.architecture')}.block_count`) ?? 0)
}

/** Texts that parameters point to; they live as long as these. */
const pinned = new WeakMap<ModelParams, Buffer[]>()

const splitModes = { none: 0, layer: 1, row: 2 } as const

/** Sets what a model is told of devices. @returns first layers whose experts stay with the processor */
export function putOnDevices(
  params: ModelParams,
  devices: readonly { pointer: Pointer }[],
  library: LlamaLibrary,
  { tensorSplit, splitMode, cpuMoe }: DeviceOptions,
): number {
  params.devices = BigUint64Array.from([...devices.map(({ pointer }) => pointer), 0n])
  params.n_gpu_layers = 0
  if (devices.length === 0) return 0
  if (splitMode !== undefined) params.split_mode = splitModes[splitMode]
  // The device that is alone comes alone.
  params.main_gpu = 0
  if (tensorSplit) {
    params.tensor_split = new Float32Array(Math.max(16, devices.length))
    params.tensor_split.set(tensorSplit)
  }
  if (!cpuMoe) return 0
  const blocks = cpuMoe === true ? [''] : Array.from({ length: cpuMoe }, (_, layer) => `blk\\.${layer}`)
  const patterns = blocks.map((block) => Buffer.from(`${block}${expertTensors}\0`, 'latin1'))
  const host = library.ggml.ggml_backend_cpu_buffer_type()
  params.tensor_buft_overrides = BigUint64Array.from([
    ...patterns.flatMap((pattern) => [addressOf(pattern), host]),
    0n,
    0n,
  ])
  pinned.set(params, patterns)
  return cpuMoe === true ? Number.POSITIVE_INFINITY : cpuMoe
}

/** How many layers go to devices, the output's counted. */
export async function layersFor(wanted: DeviceOptions['gpuLayers'], trial: Trial): Promise<number> {
  const all = layersOf(trial.header) + 1
  if (wanted === 'all') return all
  if (typeof wanted === 'number' && wanted >= 0) return Math.min(wanted, all)
  const fitting = await Fitting.measure(trial)
  return fitting === undefined ? all : fitting.most(trial.devices)
}

/**
 * Why a model lies with the processor alone though its options leave devices open; `undefined` where they do not, or where
 * nothing for devices is installed.
 *
 * @param chosen devices into which not one layer fitted
 */
export function describeAbsence(
  { deviceProblems }: Pick<LlamaLibrary, 'deviceProblems'>,
  chosen: readonly Device[],
  { gpuLayers, device }: DeviceOptions,
): string | undefined {
  if (gpuLayers === 0 || device !== undefined) return undefined
  if (chosen.length === 0) return deviceProblems.length > 0 ? deviceProblems.join('; ') : undefined
  return `not one layer fits: ${freeMemory(chosen).join(', ')}`
}

/** What a failed allocation on a device means: the numbers, and what would fit. */
export async function describeShortage(errors: string, trial: Trial, placed?: Placement): Promise<string | undefined> {
  if (!/alloc|out of.*memory|OutOf\w*Memory/i.test(errors)) return undefined
  const { devices, params, library } = trial
  const now = library.devices.filter(({ name }) => devices.some((device) => device.name === name))
  const names = freeMemory(now)
  const fitting = await Fitting.measure(trial)
  if (!fitting) return `too little memory on ${names.join(', ')}: ${errors}`
  const layers = Math.min(params.n_gpu_layers, fitting.layers)
  const { bytes, weightBytes, cellBytes, computeBytes } = fitting.need(layers)
  // What is loaded already would be free.
  const loaded = placed?.devices.reduce((sum, device) => sum + device.weightBytes, 0) ?? 0
  const most = fitting.most(
    now.map((device, i) => (i === 0 ? { ...device, freeBytes: device.freeBytes + loaded } : device)),
  )
  const advice =
    most > 0 && most < layers
      ? `${most} layers would fit (gpuLayers ${most}, -ngl ${most}), or a smaller context`
      : 'a smaller context may fit, or fewer layers there (gpuLayers)'
  return `too little memory on devices: ${layers} of ${fitting.layers} layers need ${gibibytes(bytes)} (weights ${gibibytes(weightBytes)}, cells ${gibibytes(cellBytes)}, buffers ${gibibytes(computeBytes)}); ${names.join(', ')}; ${advice}`
}

function freeMemory(devices: readonly Device[]): string[] {
  return devices.map(({ name, freeBytes, totalBytes }) =>
    totalBytes === 0 ? name : `${name} has ${gibibytes(freeBytes)} of ${gibibytes(totalBytes)} free`,
  )
}

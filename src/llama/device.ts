/*
 * The devices that compute: which ones there are, and which of them a model is put on.
 *
 *     backends ──► devices ──► chosen ones ──► model: layers, weights ──► context: cells, buffers
 *     (backends.ts)            (DeviceOptions)  (offloading.ts, fitting.ts)      (placement.ts: what lies where)
 */

import { LlamaError } from './error.js'
import type { DeviceProperties, GgmlFunctions } from './ggml.js'
import type { Pointer } from './native.js'

/** The kind of a device: the processor, a graphics card, one that shares the processor's memory, or another. */
export type DeviceKind = 'cpu' | 'gpu' | 'integrated' | 'accelerator'

const kinds: readonly DeviceKind[] = ['cpu', 'gpu', 'integrated', 'accelerator', 'accelerator']

/** A device as llama.cpp sees it. */
export interface Device {
  /** Its name in options, e.g. `CUDA0`, `Vulkan0`, `MTL0`, `CPU`. */
  readonly name: string
  /** e.g. `NVIDIA H100 80GB HBM3`. */
  readonly description: string
  readonly kind: DeviceKind
  /** Bytes of its memory, and those that were free when it was asked; 0 if its backend does not say. */
  readonly totalBytes: number
  readonly freeBytes: number
}

/** A device and its native counterpart. @internal */
export interface NativeDevice extends Device {
  readonly pointer: Pointer
  /** The backend that drives it, e.g. `CUDA`. */
  readonly backend: string
  /** Where it sits on the bus, which tells whether two backends drive the same card; `undefined` where that is not known. */
  readonly bus: string | undefined
}

/** Where a model is put; the names are llama.cpp's. */
export interface DeviceOptions {
  /**
   * Layers on devices, the last ones first and the output counted as one: a number, 0: none; `'all'`; `'auto'` or -1: as
   * many as fit into their free memory. Default `'auto'`.
   */
  gpuLayers?: number | 'auto' | 'all' | undefined
  /** Devices to use, by the names of {@link Device}; `'none'`: only the processor. Default: all available ones. */
  device?: string | readonly string[] | undefined
  /** Index of the device that holds everything if {@link splitMode} is `'none'`. Default 0. */
  mainGpu?: number | undefined
  /** Shares of the model for each device, e.g. `[3, 1]`. Default: by free memory. */
  tensorSplit?: readonly number[] | undefined
  /** How several devices share a model: whole layers, rows of matrices, or one device alone. Default `'layer'`. */
  splitMode?: 'none' | 'layer' | 'row' | undefined
  /** Experts of mixture models that stay with the processor: `true`, all; a number, those of that many first layers. Default `false`. */
  cpuMoe?: boolean | number | undefined
  /**
   * Let devices compute large batches for layers that are with the processor. Default: if any layer is on a device; if none
   * is, leaving it off makes the same kernels compute drafts and single tokens.
   */
  opOffload?: boolean | undefined
}

/** Every name of {@link DeviceOptions}. */
export const deviceOptionNames: Record<keyof DeviceOptions, true> = {
  gpuLayers: true,
  device: true,
  mainGpu: true,
  tensorSplit: true,
  splitMode: true,
  cpuMoe: true,
  opOffload: true,
}

/** Picks the options of devices from others. */
export function deviceOptionsOf(options: DeviceOptions): DeviceOptions {
  const names = Object.keys(deviceOptionNames) as (keyof DeviceOptions)[]
  return Object.fromEntries(names.map((name) => [name, options[name]]))
}

/** All devices, the processor among them, with the memory that is free now. */
export function listDevices(ggml: GgmlFunctions): NativeDevice[] {
  return Array.from({ length: Number(ggml.ggml_backend_dev_count()) }, (_, index) => {
    const pointer = ggml.ggml_backend_dev_get(index)
    const properties = {} as DeviceProperties
    ggml.ggml_backend_dev_get_props(pointer, properties)
    const { name, description, type, memory_total: total, memory_free: free, device_id: bus } = properties
    return {
      pointer,
      name,
      description,
      kind: kinds[type] ?? 'accelerator',
      totalBytes: Number(total),
      freeBytes: Number(free),
      backend: ggml.ggml_backend_reg_name(ggml.ggml_backend_dev_backend_reg(pointer)),
      bus: bus ?? undefined,
    }
  })
}

/** A device as callers see it. */
export function describeDevice({ name, description, kind, totalBytes, freeBytes }: NativeDevice): Device {
  return { name, description, kind, totalBytes, freeBytes }
}

/** What choosing devices needs of the libraries. */
export interface DeviceSource {
  readonly devices: readonly NativeDevice[]
  /** Why there is no device besides the processor, as a phrase. */
  readonly deviceTrouble: string
}

/**
 * The devices for a model, in llama.cpp's order; empty: only the processor.
 *
 * @throws LlamaError `device-not-found` if a device asked for does not exist, or layers are to be on one and there is none
 */
export function chooseDevices(source: DeviceSource, options: DeviceOptions): readonly NativeDevice[] {
  const { gpuLayers = 'auto', device, mainGpu = 0, tensorSplit, splitMode, opOffload = false } = options
  const names = typeof device === 'string' ? device.split(',').map((name) => name.trim()) : device
  if ((gpuLayers === 0 && !opOffload) || names?.every((name) => /^none$/i.test(name))) return []
  const others = source.devices.filter(({ kind }) => kind === 'gpu' || kind === 'integrated')
  const chosen = names
    ? names.map((name) => others.find((one) => one.name.toLowerCase() === name.toLowerCase()) ?? refuse(source, name))
    : usual(others)
  const asks = gpuLayers === 'all' || (typeof gpuLayers === 'number' && gpuLayers > 0)
  if (chosen.length === 0 && asks)
    throw new LlamaError(
      'device-not-found',
      `${gpuLayers === 'all' ? 'all layers are' : gpuLayers === 1 ? '1 layer is' : `${gpuLayers} layers are`} to lie on a device, and there is none: ${source.deviceTrouble}`,
    )
  if (chosen.length > 0 && mainGpu >= chosen.length)
    throw new LlamaError(
      'device-not-found',
      `the main device is to be number ${mainGpu}; there are ${chosen.length}, counted from 0: ${nameAll(chosen)}`,
    )
  if (tensorSplit !== undefined && tensorSplit.length > Math.max(1, chosen.length))
    throw new LlamaError(
      'device-not-found',
      `the model is to be split among ${tensorSplit.length} devices; there are ${chosen.length}: ${nameAll(chosen) || source.deviceTrouble}`,
    )
  return splitMode === 'none' ? chosen.slice(mainGpu, mainGpu + 1) : chosen
}

/**
 * Those that are taken where none is named: all cards, each once though a build may reach it through several backends; where
 * there is none, what shares the processor's memory, through one backend.
 */
function usual(devices: readonly NativeDevice[]): readonly NativeDevice[] {
  const cards = devices.filter(({ kind }) => kind === 'gpu')
  if (cards.length === 0) return devices.filter(({ backend }) => backend === devices[0].backend)
  return cards.filter(({ bus }, i) => bus === undefined || cards.findIndex((card) => card.bus === bus) === i)
}

function refuse(source: DeviceSource, name: string): never {
  const others = source.devices.filter(({ kind }) => kind !== 'cpu')
  const there = others.length > 0 ? `; there is ${nameAll(others)}` : `, nor any other: ${source.deviceTrouble}`
  throw new LlamaError('device-not-found', `there is no device ${name}${there}`)
}

function nameAll(devices: readonly Device[]): string {
  return devices.map(({ name, description }) => `${name} (${description})`).join(', ')
}

/*
 * Where a model and its contexts are: bytes by device, read from llama.cpp's log while it loads a model or makes a context.
 *
 *     load_tensors:      Vulkan0 model buffer size =    24.01 MiB      weights
 *     llama_kv_cache:    Vulkan0 KV buffer size =    12.00 MiB         cells
 *     sched_reserve:     Vulkan0 compute buffer size =    40.00 MiB    buffers of a forward
 *     llama_context: Vulkan_Host  output buffer size =     0.58 MiB    logits
 */

import type { Device } from './device.js'

/** What a buffer holds, and the words of the log for it. */
const contents = { model: 'weightBytes', KV: 'cellBytes', RS: 'cellBytes', compute: 'computeBytes' } as const

/** Bytes in the memory of one device, or of the processor. */
export interface MemoryUse {
  weightBytes: number
  /** Keys and values, or states. */
  cellBytes: number
  /** Buffers for computing a forward. */
  computeBytes: number
}

/** A device in use, and the memory taken on it. */
export interface PlacedDevice extends MemoryUse, Pick<Device, 'name' | 'description' | 'totalBytes'> {}

/** Where a loaded model and its contexts are. */
export interface Placement {
  /** Devices in use; empty: only the processor. */
  devices: PlacedDevice[]
  /** Memory taken on the processor's side. */
  host: MemoryUse
  /** Layers on devices, and all layers; the output counts as one. */
  offloadedLayers: number
  layers: number
  /** Host memory that holds logits. */
  logitsBytes: number
  /** Why the processor is alone, where devices might have been used and it was left open whether they are. */
  trouble?: string
}

/** Adds up what a log reports. */
export class MemoryLedger {
  /** By the name of a device; everything else under `''`. */
  readonly #memory = new Map<string, MemoryUse>()
  readonly #devices: readonly Device[]
  logitsBytes = 0
  /** Bytes of cells in all, wherever they are. */
  totalCellBytes = 0
  #line = ''

  constructor(devices: readonly Device[]) {
    this.#devices = devices
  }

  /** Takes a piece of the log. */
  readonly read = (text: string): void => {
    const lines = (this.#line + text).split('\n')
    this.#line = lines.pop() ?? ''
    for (const line of lines) this.#readLine(line)
  }

  of(device: string): MemoryUse {
    let memory = this.#memory.get(device)
    if (!memory) {
      memory = { weightBytes: 0, cellBytes: 0, computeBytes: 0 }
      this.#memory.set(device, memory)
    }
    return memory
  }

  #readLine(line: string): void {
    const total = /: size = +([\d.]+) MiB \( *\d+ cells/.exec(line)
    if (total) this.totalCellBytes += bytesOf(total[1])
    const [, buffer, what, size] = /: +(\S+) +(model|KV|RS|compute|output) buffer size = +([\d.]+) MiB/.exec(line) ?? []
    if (buffer === undefined) return
    if (what === 'output') this.logitsBytes += bytesOf(size)
    else {
      const device = this.#devices.find(({ name }) => name === buffer)?.name ?? ''
      this.of(device)[contents[what as keyof typeof contents]] += bytesOf(size)
    }
  }
}

function bytesOf(mebibytes: string): number {
  return Math.round(Number(mebibytes) * 2 ** 20)
}

/** What several ledgers hold together: a model's and those of its contexts. */
export function placementOf(
  devices: readonly Device[],
  layers: Pick<Placement, 'offloadedLayers' | 'layers' | 'trouble'>,
  ledgers: readonly MemoryLedger[],
): Placement {
  const sum = (name: string): MemoryUse => {
    const memory = { weightBytes: 0, cellBytes: 0, computeBytes: 0 }
    for (const ledger of ledgers)
      for (const what of ['weightBytes', 'cellBytes', 'computeBytes'] as const) memory[what] += ledger.of(name)[what]
    return memory
  }
  return {
    devices: devices.map(({ name, description, totalBytes }) => ({ name, description, totalBytes, ...sum(name) })),
    host: sum(''),
    ...layers,
    logitsBytes: ledgers.reduce((bytes, ledger) => bytes + ledger.logitsBytes, 0),
  }
}

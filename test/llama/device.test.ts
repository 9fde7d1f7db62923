import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { describeTrouble } from '../../src/llama/backends.js'
import { chooseDevices, type Device, type DeviceOptions } from '../../src/llama/device.js'
import { Fitting } from '../../src/llama/fitting.js'
import { readHeader } from '../../src/llama/gguf.js'
import { availableDevices, LlamaLibrary } from '../../src/llama/library.js'
import { Model } from '../../src/llama/model.js'
import { devicePackages } from '../../src/llama/packages.js'
import { MemoryLedger, placementOf } from '../../src/llama/placement.js'
import { writeRandomModel } from '../helpers/random-model.js'

const device = (name: string, kind: Device['kind'] = 'gpu') => ({
  name,
  kind,
  description: `a card called ${name}`,
  totalBytes: 8 * 2 ** 30,
  freeBytes: 6 * 2 ** 30,
  pointer: 1n,
})
const cpu = device('CPU', 'cpu')
const two = { devices: [device('CUDA0'), device('CUDA1'), device('Vulkan0', 'integrated'), cpu], deviceTrouble: '' }
const none = { devices: [cpu], deviceTrouble: 'libcuda.so.1 cannot be opened' }
const names = (options: DeviceOptions, source = two) => chooseDevices(source, options).map(({ name }) => name)

describe('chooseDevices', () => {
  it('takes all cards, and those that share the processor’s memory only where there is no card', () => {
    expect(names({})).toEqual(['CUDA0', 'CUDA1'])
    expect(names({}, { ...two, devices: [device('Vulkan0', 'integrated'), cpu] })).toEqual(['Vulkan0'])
    expect(names({}, none)).toEqual([])
  })

  it('takes those that are named, in that order', () => {
    expect(names({ device: 'cuda1, Vulkan0' })).toEqual(['CUDA1', 'Vulkan0'])
    expect(names({ device: ['CUDA1'] })).toEqual(['CUDA1'])
    expect(names({ splitMode: 'none', mainGpu: 1 })).toEqual(['CUDA1'])
  })

  it('takes none where none is wanted', () => {
    for (const options of [{ device: 'none' }, { device: 'none', gpuLayers: 99 }, { gpuLayers: 0 }])
      expect(names(options)).toEqual([])
    expect(names({ gpuLayers: 0 }, none)).toEqual([])
    expect(names({ gpuLayers: 0, opOffload: true })).toEqual(['CUDA0', 'CUDA1'])
  })

  it.each<[DeviceOptions, typeof two, RegExp]>([
    [{ gpuLayers: 20 }, none, /^20 layers are to lie on a device, and there is none: libcuda\.so\.1 cannot be opened$/],
    [{ gpuLayers: 'all' }, none, /^all layers are to lie on a device, and there is none/],
    [{ device: 'CUDA0' }, none, /^there is no device CUDA0, nor any other: libcuda/],
    [{ device: 'CUDA0,Metal' }, two, /^there is no device Metal; there is CUDA0 \(a card called CUDA0\), CUDA1/],
    [{ device: 'CPU' }, two, /^there is no device CPU; /],
    [{ mainGpu: 2 }, two, /number 2; there are 2, counted from 0: CUDA0/],
    [{ tensorSplit: [1, 1, 1] }, two, /among 3 devices; there are 2/],
  ])('refuses %o in one sentence', (options, source, sentence) => {
    expect(() => chooseDevices(source, options)).toThrow(sentence)
    expect(() => chooseDevices(source, options)).toThrow(expect.objectContaining({ code: 'device-not-found' }))
  })
})

describe('LlamaLibrary.devices', () => {
  it('has the processor, and says why there is nothing else', () => {
    const library = LlamaLibrary.load()
    expect(library.devices.find(({ kind }) => kind === 'cpu')?.totalBytes).toBeGreaterThan(2 ** 20)
    if (availableDevices().length === 0) expect(library.deviceTrouble).not.toBe('')
  })

  it('blames what did not load before what sees no device, and that before what is not installed', () => {
    expect(describeTrouble('/f', ['libggml-cuda.so could not be loaded: no libcudart'], ['libggml-cuda.so'])).toBe(
      'libggml-cuda.so could not be loaded: no libcudart',
    )
    expect(
      describeTrouble('/x/@node-llama-cpp/linux-x64-vulkan/bins/linux-x64-vulkan', [], ['libggml-vulkan.so']),
    ).toBe('libggml-vulkan.so of @node-llama-cpp/linux-x64-vulkan sees none')
    expect(describeTrouble('/f', [], [])).toMatch(/^the llama\.cpp of \/f is for the processor alone; /)
  })

  it('prefers CUDA to Vulkan, and asks their drivers', () => {
    expect(devicePackages('linux', 'x64').map(({ name }) => name)).toEqual(['linux-x64-cuda', 'linux-x64-vulkan'])
    expect(devicePackages('darwin', 'arm64')).toEqual([])
    for (const { answers } of devicePackages('linux', 'x64')) expect(typeof answers()).toBe('boolean')
  })
})

describe('Fitting', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lookahead-fitting-'))
  const file = path.join(folder, 'random.gguf')
  afterAll(() => rmSync(folder, { recursive: true }))

  const measured = async (contextTokens: number, hostExpertLayers = 0) => {
    const library = LlamaLibrary.load()
    const params = { ...library.llama.llama_model_default_params(), devices: new BigUint64Array(1) }
    const header = await readHeader(file)
    const room = () => ({ contextTokens, batchTokens: 64 })
    const fitting = await Fitting.measure({ library, file, header, params, devices: [], hostExpertLayers, room })
    expect(fitting).toBeDefined()
    return fitting!
  }

  it('knows the weights of layers, and what cells take, beyond what it has tried', async () => {
    writeRandomModel(file, { type: 'Q8_0', layers: 3, context: 65_536 })
    await using model = await Model.load(file)
    const small = await measured(4096)
    expect(small.layers).toBe(4)
    const all = small.need(4)
    // All tensors but the embedding, with what fills them up to 32 bytes.
    const { tensors } = await readHeader(file)
    const [length, tokens] = tensors.get('token_embd.weight')!.shape
    const expected = model.describe().weightBytes - (tensors.has('output.weight') ? (length * tokens * 34) / 32 : 0)
    expect(Math.abs(all.weightBytes - expected)).toBeLessThan(32 * tensors.size)
    expect(small.need(0).bytes).toBe(0)
    expect(small.need(1).cellBytes).toBe(0)
    expect(small.need(2).cellBytes).toBeCloseTo(all.cellBytes / 3, -1)
    expect((await measured(32_768)).need(4).cellBytes / all.cellBytes).toBeCloseTo(8, 1)
  })

  it('puts as much on a device as is free there, less what stays free', async () => {
    const fitting = await measured(4096)
    const { bytes } = fitting.need(fitting.layers)
    const card = (freeBytes: number) => [{ ...device('CUDA0'), totalBytes: 2 ** 33, freeBytes }]
    expect(fitting.most(card(bytes + 2 ** 30))).toBe(fitting.layers)
    expect(fitting.most(card(bytes + 2 ** 30 - 1))).toBeLessThan(fitting.layers)
    expect(fitting.most(card(2 ** 30 - 1))).toBe(0)
    expect(fitting.most([{ ...device('CUDA0'), totalBytes: 0, freeBytes: 0 }])).toBe(fitting.layers)
  })
})

describe('MemoryLedger', () => {
  it('adds up what the log tells, however it is cut', () => {
    const log = [
      'load_tensors:      Vulkan0 model buffer size =     6.80 MiB',
      'load_tensors:   CPU_Mapped model buffer size =     1.50 MiB',
      'llama_kv_cache:    Vulkan0 KV buffer size =    12.00 MiB',
      'llama_kv_cache: size =   12.00 MiB (  1024 cells,   6 layers,  5/1 seqs), K (f16):    6.00 MiB, V (f16):    6.00 MiB',
      'sched_reserve:    Vulkan0 compute buffer size =    13.00 MiB',
      'sched_reserve: Vulkan_Host compute buffer size =     2.00 MiB',
      'llama_context: Vulkan_Host  output buffer size =     0.25 MiB',
      '',
    ].join('\n')
    for (const pieces of [[log], [...log]]) {
      const ledger = new MemoryLedger([device('Vulkan0')])
      for (const piece of pieces) ledger.read(piece)
      expect(ledger.totalCellBytes).toBe(12 * 2 ** 20)
      const { devices, host, logitsBytes } = placementOf([device('Vulkan0')], { offloadedLayers: 7, layers: 7 }, [
        ledger,
      ])
      expect(devices[0]).toMatchObject({ weightBytes: 7_130_317, cellBytes: 12 * 2 ** 20, computeBytes: 13 * 2 ** 20 })
      expect(host).toEqual({ weightBytes: 1.5 * 2 ** 20, cellBytes: 0, computeBytes: 2 * 2 ** 20 })
      expect(logitsBytes).toBe(2 ** 18)
    }
  })
})

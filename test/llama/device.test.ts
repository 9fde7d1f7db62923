import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { describeBlindness, describeFailure, describeLack } from '../../src/llama/backends.js'
import { chooseDevices, type Device, type DeviceOptions } from '../../src/llama/device.js'
import { Fitting } from '../../src/llama/fitting.js'
import { readHeader } from '../../src/llama/gguf.js'
import { availableDevices, LlamaLibrary } from '../../src/llama/library.js'
import { Model } from '../../src/llama/model.js'
import { describeAbsence } from '../../src/llama/offloading.js'
import { cudaTrouble, devicePackages } from '../../src/llama/packages.js'
import { MemoryLedger, placementOf } from '../../src/llama/placement.js'
import { writeRandomModel } from '../helpers/random-model.js'

const device = (name: string, kind: Device['kind'] = 'gpu') => ({
  name,
  kind,
  description: `a card called ${name}`,
  totalBytes: 8 * 2 ** 30,
  freeBytes: 6 * 2 ** 30,
  pointer: 1n,
  backend: name.replace(/\d+$/, ''),
  bus: undefined as string | undefined,
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

  it('takes a card once, though two backends drive it, and shares memory through one backend only', () => {
    const [first, second] = ['0000:01:00.0', '0000:02:00.0']
    const cards = [
      { ...device('CUDA0'), bus: first },
      { ...device('Vulkan0'), bus: first },
      { ...device('Vulkan1'), bus: second },
      device('ROCm0'),
      device('ROCm1'),
    ]
    expect(names({}, { ...two, devices: [...cards, cpu] })).toEqual(['CUDA0', 'Vulkan1', 'ROCm0', 'ROCm1'])
    expect(names({ device: 'Vulkan0' }, { ...two, devices: [...cards, cpu] })).toEqual(['Vulkan0'])
    const shared = [device('Vulkan0', 'integrated'), device('Vulkan1', 'integrated'), device('SYCL0', 'integrated')]
    expect(names({}, { ...two, devices: [...shared, cpu] })).toEqual(['Vulkan0', 'Vulkan1'])
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

  it('says of every backend why it is of no use', () => {
    const load = 'load_backend: failed to'
    expect(describeFailure('libggml-cuda.so', [`${load} load /f/libggml-cuda.so: libcudart.so.13: cannot open`])).toBe(
      'libggml-cuda.so could not be loaded: libcudart.so.13: cannot open',
    )
    expect(
      describeFailure('libggml-vulkan.so', [`${load} initialize backend from /f: ggml_backend_init returned NULL`]),
    ).toBe('libggml-vulkan.so finds no driver')
    expect(describeFailure('libggml-hip.so', [])).toBe('libggml-hip.so could not be loaded')
  })

  it.each<[string, string[], Record<string, string>, RegExp]>([
    [
      'cuda',
      ['ggml_cuda_init: failed to initialize CUDA: the driver is too old'],
      {},
      / sees no device: the driver is/,
    ],
    ['vulkan', ['ggml_cuda_init: failed to initialize CUDA: the driver is too old'], {}, /no device \(software/],
    ['cuda', [], { CUDA_VISIBLE_DEVICES: '' }, / sees no device with CUDA_VISIBLE_DEVICES=$/],
    ['cuda', [], { GGML_VK_VISIBLE_DEVICES: '0' }, /^libggml-cuda\.so of \/f sees no device$/],
    ['vulkan', [], {}, /sees no device \(software devices count only where GGML_VK_VISIBLE_DEVICES names them/],
    ['vulkan', [], { GGML_VK_VISIBLE_DEVICES: '7' }, / with GGML_VK_VISIBLE_DEVICES=7$/],
  ])('says why %s sees no device: %j, %j', (backend, said, environment, sentence) => {
    expect(describeBlindness(`libggml-${backend}.so`, '/f', said, environment)).toMatch(sentence)
  })

  it('says what to install where there is nothing for devices', () => {
    expect(describeLack('/x/@node-llama-cpp/linux-x64/bins/linux-x64')).toMatch(
      /^the llama\.cpp of @node-llama-cpp\/linux-x64 is for the processor alone; /,
    )
  })

  it('prefers CUDA to Vulkan, and asks their drivers', () => {
    expect(devicePackages('linux', 'x64').map(({ name }) => name)).toEqual(['linux-x64-cuda', 'linux-x64-vulkan'])
    expect(devicePackages('darwin', 'arm64')).toEqual([])
    for (const { trouble } of devicePackages('linux', 'x64')) expect(trouble() ?? '').not.toMatch(/undefined|NaN/)
  })

  it.each<[number, number[], string | undefined]>([
    [13_010, [75, 80, 90, 100], undefined],
    [13_000, [86, 89, 120], undefined],
    [
      13_000,
      [89, 90],
      'the NVIDIA driver is for CUDA 13.0; for compute capability 9.0 the package takes one for CUDA 13.1',
    ],
    [12_080, [89], 'the NVIDIA driver is for CUDA 12.8; the package takes one for CUDA 13.0'],
    [
      13_010,
      [61, 89],
      'a device has compute capability 6.1, and the package is for 7.5 and more; $CUDA_VISIBLE_DEVICES can hide it',
    ],
    [13_010, [], 'the NVIDIA driver sees no device'],
  ])('knows whether a driver of CUDA %i runs its kernels on devices of %j', (driver, capabilities, sentence) => {
    expect(cudaTrouble({ driver, capabilities })).toBe(sentence)
  })

  it('says why a model lies with the processor, unless that was wanted or nothing else is installed', () => {
    const library = { deviceProblems: ['libggml-cuda.so could not be loaded'] }
    expect(describeAbsence(library, [], {})).toBe('libggml-cuda.so could not be loaded')
    expect(describeAbsence({ deviceProblems: [] }, [], {})).toBeUndefined()
    for (const options of [{ gpuLayers: 0 }, { device: 'none' }])
      expect(describeAbsence(library, [], options)).toBeUndefined()
    expect(describeAbsence(library, [device('CUDA0')], {})).toBe(
      'not one layer fits: CUDA0 has 6.0 GiB of 8.0 GiB free',
    )
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

// Where llama.cpp's libraries lie: a folder the user names, or an npm package for this platform, one with devices first.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import koffi, { type LibraryHandle } from 'koffi'
import { llamaRelease } from './abi.js'
import { LlamaError } from './error.js'

/** Environment variable that names a folder with another build of the same llama.cpp release. */
export const libraryFolderVariable = 'LOOKAHEAD_LLAMA_DIR'

/** Version of the npm packages that hold {@link llamaRelease}. */
const packageVersion = '3.22.1'

/** A package made for devices, and whether the system has what they answer through. */
interface DevicePackage {
  readonly name: string
  /** Why its driver is of no use, as the end of a sentence; `undefined`: it may be. */
  readonly trouble: () => string | undefined
}

/** npm packages with a prebuilt library for this platform. Unknown platforms have none. */
export function platformPackages(platform: string = process.platform, arch: string = process.arch): string[] {
  const packages: Record<string, string[]> = {
    'linux-x64': ['linux-x64'],
    'linux-arm64': ['linux-arm64'],
    'darwin-arm64': ['mac-arm64-metal'],
    'darwin-x64': ['mac-x64'],
    'win32-x64': ['win-x64'],
    'win32-arm64': ['win-arm64'],
  }
  return packages[`${platform}-${arch}`] ?? []
}

/** Those for devices, the faster first. They are installed by the user: `npm install @node-llama-cpp/linux-x64-cuda`. */
export function devicePackages(
  platform: string = process.platform,
  arch: string = process.arch,
): readonly DevicePackage[] {
  const packages: Record<string, readonly DevicePackage[]> = {
    'linux-x64': [
      { name: 'linux-x64-cuda', trouble: () => cudaTrouble(askCuda('libcuda.so.1')) },
      { name: 'linux-x64-vulkan', trouble: () => vulkanTrouble('libvulkan.so.1') },
    ],
    'win32-x64': [
      { name: 'win-x64-cuda', trouble: () => cudaTrouble(askCuda('nvcuda.dll')) },
      { name: 'win-x64-vulkan', trouble: () => vulkanTrouble('vulkan-1.dll') },
    ],
  }
  return packages[`${platform}-${arch}`] ?? []
}

/** A folder with libraries, and what was passed over on the way to it. */
export interface FoundFolder {
  readonly folder: string
  /** Packages for devices that are installed and not used, each with the reason. */
  readonly passedOver: readonly string[]
}

/**
 * The folder to load from: `folder`, `$LOOKAHEAD_LLAMA_DIR`, an installed package for devices of which one may answer,
 * the package for the processor.
 *
 * @throws LlamaError `library-not-found`
 */
export function findFolder(folder: string | undefined): FoundFolder {
  const given = folder ?? process.env[libraryFolderVariable]
  if (given) {
    const resolved = path.resolve(given)
    if (existsSync(resolved)) return { folder: resolved, passedOver: [] }
    const origin = folder === undefined ? `$${libraryFolderVariable}` : 'the library folder'
    throw new LlamaError('library-not-found', `${origin} names ${given}, which does not exist`)
  }
  const passedOver: string[] = []
  for (const { name, trouble } of devicePackages()) {
    const root = rootOf(name)
    if (root === undefined) continue
    const version = versionOf(root)
    const reason =
      version === packageVersion ? trouble() : `it is version ${version}, and this package needs ${packageVersion}`
    if (reason === undefined) return { folder: binariesOf(root, name), passedOver }
    passedOver.push(`@node-llama-cpp/${name} is not used: ${reason}`)
  }
  const packages = platformPackages()
  for (const name of packages) {
    const root = rootOf(name)
    if (root !== undefined && existsSync(binariesOf(root, name))) return { folder: binariesOf(root, name), passedOver }
  }
  const platform = `${process.platform}-${process.arch}`
  const advice =
    packages.length > 0
      ? `install it with: npm install ${packages.map((name) => `@node-llama-cpp/${name}@${packageVersion}`).join(' or ')}`
      : 'there is none for this platform'
  throw new LlamaError(
    'library-not-found',
    `no prebuilt llama.cpp for ${platform}: ${advice}; or build llama.cpp v${llamaRelease} as shared libraries and set ${libraryFolderVariable} to their folder`,
  )
}

/** What to install for a device on this platform, as the end of a sentence. */
export function deviceAdvice(): string {
  const names = devicePackages().map(({ name }) => `@node-llama-cpp/${name}@${packageVersion}`)
  const own = `set ${libraryFolderVariable} to a build of llama.cpp v${llamaRelease} for it`
  return names.length > 0 ? `npm install ${names.join(' or ')}, or ${own}` : own
}

function rootOf(name: string): string | undefined {
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(`@node-llama-cpp/${name}`)), '..')
  } catch {
    // not installed
    return undefined
  }
}

function binariesOf(root: string, name: string): string {
  return path.join(root, 'bins', name)
}

function versionOf(root: string): string {
  try {
    return String(JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version)
  } catch {
    return 'unknown'
  }
}

function vulkanTrouble(loader: string): string | undefined {
  try {
    koffi.load(loader)
    return undefined
  } catch {
    return `there is no Vulkan loader (${loader})`
  }
}

/** What CUDA's driver says: its version (13010: CUDA 13.1) and the compute capabilities of its devices (89: 8.9). */
export interface CudaAnswer {
  driver: number
  capabilities: readonly number[]
}

/** Asks CUDA's driver; `$CUDA_VISIBLE_DEVICES` counts. A text: why it does not answer. */
function askCuda(library: string): CudaAnswer | string {
  let cuda: LibraryHandle
  try {
    cuda = koffi.load(library)
  } catch {
    return `there is no NVIDIA driver (${library})`
  }
  const number = new Int32Array(1)
  const call = (prototype: string, ...rest: unknown[]): number => {
    const status = cuda.func(prototype)(...rest)
    if (status === noDevice) throw new Error(seesNone)
    if (status !== 0) throw new Error(`the NVIDIA driver fails with CUDA error ${status}`)
    return number[0]
  }
  try {
    call('int cuInit(uint32 flags)', 0)
    const driver = call('int cuDriverGetVersion(int32* version)', number)
    const count = call('int cuDeviceGetCount(int32* count)', number)
    const capability = (device: number) => {
      const [major, minor] = capabilityAttributes.map((attribute) =>
        call('int cuDeviceGetAttribute(int32* value, int attribute, int device)', number, attribute, device),
      )
      return 10 * major + minor
    }
    return { driver, capabilities: Array.from({ length: count }, (_, device) => capability(device)) }
  } catch (error) {
    return (error as Error).message
  }
}

/** `CUDA_ERROR_NO_DEVICE`. */
const noDevice = 100
const seesNone = 'the NVIDIA driver sees no device'

/** `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR`. */
const capabilityAttributes = [75, 76]

/** Least compute capability the packages' kernels are for. */
const leastCapability = 75
/** Those they hold machine code for. For others the driver compiles it, from PTX of CUDA 13.1. */
const compiledCapabilities = [86, 87, 89, 120, 121]
const ptxDriver = 13_010
/** CUDA's runtime of the packages runs on drivers from 13.0 on. */
const leastDriver = 13_000

/** Why the packages for CUDA cannot run with a driver: llama.cpp would end the process at the first kernel. */
export function cudaTrouble(answer: CudaAnswer | string): string | undefined {
  if (typeof answer === 'string') return answer
  const { driver, capabilities } = answer
  const release = (version: number) => `CUDA ${Math.floor(version / 1000)}.${(version % 1000) / 10}`
  const dotted = (capability: number) => `compute capability ${Math.floor(capability / 10)}.${capability % 10}`
  const has = `the NVIDIA driver is for ${release(driver)}`
  if (capabilities.length === 0) return seesNone
  if (driver < leastDriver) return `${has}; the package takes one for ${release(leastDriver)}`
  const old = capabilities.find((capability) => capability < leastCapability)
  if (old !== undefined)
    return `a device has ${dotted(old)}, and the package is for 7.5 and more; $CUDA_VISIBLE_DEVICES can hide it`
  const uncompiled = capabilities.find((capability) => !compiledCapabilities.includes(capability))
  if (uncompiled !== undefined && driver < ptxDriver)
    return `${has}; for ${dotted(uncompiled)} the package takes one for ${release(ptxDriver)}`
  return undefined
}

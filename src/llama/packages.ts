// Where llama.cpp's libraries lie: a folder the user names, or an npm package for this platform, one with devices first.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import koffi from 'koffi'
import { llamaRelease } from './abi.js'
import { LlamaError } from './error.js'

/** Environment variable that names a folder with another build of the same llama.cpp release. */
export const libraryFolderVariable = 'LOOKAHEAD_LLAMA_DIR'

/** Version of the npm packages that hold {@link llamaRelease}. */
const packageVersion = '3.22.1'

/** A package made for devices, and whether the system has what they answer through. */
interface DevicePackage {
  readonly name: string
  /** Whether the driver's library is there and, where that is quickly told, sees a device. */
  readonly answers: () => boolean
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
      { name: 'linux-x64-cuda', answers: () => countsCudaDevices('libcuda.so.1') },
      { name: 'linux-x64-vulkan', answers: () => canLoad('libvulkan.so.1') },
    ],
    'win32-x64': [
      { name: 'win-x64-cuda', answers: () => countsCudaDevices('nvcuda.dll') },
      { name: 'win-x64-vulkan', answers: () => canLoad('vulkan-1.dll') },
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
  for (const { name, answers } of devicePackages()) {
    const root = rootOf(name)
    if (root === undefined) continue
    const version = versionOf(root)
    if (version !== packageVersion)
      passedOver.push(`@node-llama-cpp/${name} is version ${version}; this package needs ${packageVersion}`)
    else if (!answers()) passedOver.push(`@node-llama-cpp/${name} is installed, but its driver answers for no device`)
    else return { folder: binariesOf(root, name), passedOver }
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

function canLoad(library: string): boolean {
  try {
    koffi.load(library)
    return true
  } catch {
    return false
  }
}

/** Whether CUDA's driver sees a device; `$CUDA_VISIBLE_DEVICES` counts. */
function countsCudaDevices(driver: string): boolean {
  try {
    const cuda = koffi.load(driver)
    const count = new Int32Array(1)
    if (cuda.func('int cuInit(uint32 flags)')(0) !== 0) return false
    return cuda.func('int cuDeviceGetCount(int32* count)')(count) === 0 && count[0] > 0
  } catch {
    return false
  }
}

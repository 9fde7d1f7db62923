// Builds the kernels for this machine, or with a cross compiler for another, into native/build/.
//
//     node native/build.mjs                                      for this machine, if anything has changed
//     node native/build.mjs --target linux-arm64 --compiler aarch64-linux-gnu-g++
//
//   --optional   where they cannot be built, say so in one line and exit with 0: all works without them
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: { target: { type: 'string' }, compiler: { type: 'string' }, optional: { type: 'boolean', default: false } },
})
const folder = path.dirname(fileURLToPath(import.meta.url))
const target = options.target ?? `${process.platform}-${process.arch}`
const [platform, arch] = target.split('-')

/** What every file is compiled with: exactly the float operations that are written, none gathered, none reordered. */
const flags = ['-std=c++17', '-O3', '-fPIC', '-fvisibility=hidden', '-ffp-contract=off', '-fno-math-errno', '-w']

/** The files of each architecture, and the instructions that each may use beyond those every processor has. */
const variants = {
  x64: {
    avx2: ['-mavx2', '-mfma', '-mf16c'],
    avxvnni: ['-mavx2', '-mfma', '-mf16c', '-mavxvnni'],
    avx512: ['-mavx2', '-mfma', '-mf16c', '-mavx512f', '-mavx512bw', '-mavx512vnni'],
  },
  arm64: { neon: ['-march=armv8.2-a+dotprod'] },
}

/** Builds, and returns what there is to say; throws where it cannot be. */
async function build() {
  if (!['linux', 'darwin'].includes(platform) || !(arch in variants)) throw new Error(`there are none for ${target} yet`)
  const sources = { plug: [], plain: [], ...variants[arch] }
  const out = path.join(folder, 'build')
  const library = path.join(out, `lookahead-kernels-${target}.${platform === 'darwin' ? 'dylib' : 'so'}`)
  const newest = Math.max(...readdirSync(folder).map((name) => (name === 'build' ? 0 : statSync(path.join(folder, name)).mtimeMs)))
  if (newest < (statSync(library, { throwIfNoEntry: false })?.mtimeMs ?? 0)) return undefined
  const compiler = options.compiler ?? findCompiler()
  if (!compiler) throw new Error('no C++ compiler was found (tried $CXX, c++, g++, clang++)')
  mkdirSync(out, { recursive: true })
  const scratch = path.join(out, `${target}-${process.pid}`)
  mkdirSync(scratch)
  const began = performance.now()
  try {
    const objects = Object.entries(sources).map(async ([name, extra]) => {
      const object = path.join(scratch, `${name}.o`)
      await run(compiler, [...flags, ...extra, '-c', path.join(folder, `${name}.cpp`), '-o', object])
      return object
    })
    const linked = path.join(scratch, path.basename(library))
    await run(compiler, ['-shared', '-o', linked, ...(await Promise.all(objects)), '-lpthread', ...(platform === 'linux' ? ['-ldl'] : [])])
    renameSync(linked, library)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return `kernels built in ${((performance.now() - began) / 1000).toFixed(1)} s: ${path.relative(process.cwd(), library)}`
}

function findCompiler() {
  return [process.env.CXX, 'c++', 'g++', 'clang++'].find((name) => name && spawnSync(name, ['--version']).status === 0)
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (data) => {
      errors += data
    })
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} failed: ${errors.trim() || `status ${code}`}`))))
  })
}

try {
  const said = await build()
  if (said) console.log(said)
} catch (error) {
  if (options.optional) console.log(`kernels not built: ${error.message.split('\n')[0]}; llama.cpp's own are used`)
  else {
    console.error(`kernels not built: ${error.message}`)
    process.exitCode = 1
  }
}

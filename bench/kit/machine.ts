// The machine: its processor, what is free of it, how fast its memory is.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { llamaRelease } from '../../src/llama/abi.js'
import { median } from './statistics.js'

/** What figures were made on. No names of hosts or users. */
export interface Machine {
  /** Name of the folder of its results. */
  name: string
  cpu: string
  cores: number
  memoryGiB: number
  platform: string
  node: string
  /** Of this package, and the commit if known. */
  version: string
  commit?: string
  /** Release of llama.cpp, of which everyone in the same process runs the same files. */
  llama: string
  /** Bytes per second that all cores together read, in GB/s. */
  bandwidth?: number
}

/** Folder of the repository, from wherever this file was compiled to. */
export const root: string = findRoot(path.dirname(fileURLToPath(import.meta.url)))

/** Describes this machine. @param name default: made from platform, processor and cores */
export function describeMachine(name?: string): Machine {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown'
  const cores = availableParallelism()
  const slug = cpu
    .toLowerCase()
    .replace(/\((r|tm)\)|cpu|processor|@.*$/g, ' ')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
  return {
    name: name ?? `${process.platform}-${process.arch}-${slug}-${cores}cores`,
    cpu,
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}, ${release().split('-')[0]}`,
    node: process.versions.node,
    version,
    llama: llamaRelease,
    commit: commitOf(root),
  }
}

const spinForever = `
const { parentPort } = require('node:worker_threads')
parentPort.on('message', (ms) => { const end = performance.now() + ms; while (performance.now() < end); parentPort.postMessage(0) })
parentPort.postMessage(0)
`

/**
 * How many cores this process gets if it asks for `threads`, over `ms` milliseconds: fewer than that where other
 * programs, or other guests of the same host, are at work.
 */
export async function measureFreeCores(threads: number, ms = 400): Promise<number> {
  const workers = Array.from({ length: threads }, () => new Worker(spinForever, { eval: true }))
  const answerOf = (worker: Worker) => new Promise<void>((resolve) => worker.once('message', () => resolve()))
  try {
    await Promise.all(workers.map(answerOf))
    const before = process.cpuUsage()
    const began = performance.now()
    const answers = workers.map(answerOf)
    for (const worker of workers) worker.postMessage(ms)
    await Promise.all(answers)
    const wall = performance.now() - began
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000 / wall
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Compares two buffers far larger than the caches; memcmp reads both and writes nothing. */
const readForever = `
const { parentPort, workerData } = require('node:worker_threads')
const a = Buffer.alloc(workerData, 1), b = Buffer.alloc(workerData, 1)
parentPort.on('message', () => { a.compare(b); parentPort.postMessage(0) })
parentPort.postMessage(0)
`

/** Memory bandwidth in GB/s: reading by `threads` at once, the median of some passes. */
export async function measureBandwidth(threads = availableParallelism(), megabytes = 256, passes = 5): Promise<number> {
  const bytes = megabytes * 2 ** 20
  const workers = Array.from({ length: threads }, () => new Worker(readForever, { eval: true, workerData: bytes }))
  const answerOf = (worker: Worker) => new Promise<void>((resolve) => worker.once('message', () => resolve()))
  try {
    await Promise.all(workers.map(answerOf))
    const speeds: number[] = []
    for (let pass = 0; pass < passes; pass++) {
      const began = performance.now()
      const answers = workers.map(answerOf)
      for (const worker of workers) worker.postMessage(0)
      await Promise.all(answers)
      speeds.push((2 * bytes * threads) / (performance.now() - began) / 1e6)
    }
    return median(speeds)
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

function findRoot(from: string): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'biome.json'))) return folder
    if (folder === path.dirname(folder)) throw new Error(`no repository above ${from}`)
  }
}

function commitOf(folder: string): string | undefined {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: folder, encoding: 'utf8' }).trim()
  } catch {
    return undefined
  }
}

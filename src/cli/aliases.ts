// llama.cpp's option names, and what they are called here.

import type { Command } from 'commander'

/** Option names of llama.cpp's commands that differ from ours, and what they are called here. */
const llamaNames = new Map(
  Object.entries({
    '-hf': '--hf-repo',
    '-hfr': '--hf-repo',
    '-hff': '--hf-file',
    '-hft': '--hf-token',
    '-ngl': '--gpu-layers',
    '--n-gpu-layers': '--gpu-layers',
    '-np': '--parallel',
    '-fa': '--flash-attn',
    '-ctk': '--cache-type-k',
    '-ctv': '--cache-type-v',
    '-md': '--model-draft',
    '--spec-draft-model': '--model-draft',
    '-dev': '--device',
    '-mg': '--main-gpu',
    '-ts': '--tensor-split',
    '-sm': '--split-mode',
    '-sys': '--system',
    '--system-prompt': '--system',
    '-cram': '--cache-ram',
    '--predict': '--max-tokens',
    '--n-predict': '--max-tokens',
    '--temperature': '--temp',
    '--sampling-seed': '--seed',
    '-j': '--json-schema',
    '-f': '--file',
    '-cmoe': '--cpu-moe',
    '-ncmoe': '--n-cpu-moe',
    '--embedding': '--embeddings',
    '--rerank': '--reranking',
    '--cors-origins': '--cors-origin',
    '--no-webui': '--no-ui',
  }),
)

/** Switches of llama.cpp's commands that ask for what is done here anyway; they take no value. */
const alreadySo = new Set([
  '--jinja',
  '--cont-batching',
  '-cb',
  '--no-warmup',
  '-no-cnv',
  '--slots',
  '--metrics',
  '--ui',
  '--webui',
  '--kv-unified',
  '-kvu',
  '--swa-full',
  '--cache-prompt',
  '--props',
])

/**
 * Options of llama.cpp's commands that say how forwards are made, or for how long is waited, each with a value. Here that is
 * measured, or decided elsewhere; no text hangs on it.
 */
const decidedHere = new Set([
  '-b',
  '--batch-size',
  '-ub',
  '--ubatch-size',
  '-tb',
  '--threads-batch',
  '--threads-http',
  '-to',
  '--timeout',
  '--poll',
  '--prio',
  '--sse-ping-interval',
  '--cache-reuse',
  '-sps',
  '--slot-prompt-similarity',
  '--spec-type',
  '--spec-draft-n-max',
  '--spec-draft-n-min',
  '--spec-draft-p-min',
  '--draft-max',
  '--draft-min',
  '--draft-n',
  '--draft-n-min',
  '--draft-p-min',
])

/**
 * Rewrites arguments as llama.cpp names them into ours, also where a command has no such option: `-ngl` would else be read
 * as `-n gl`. Values of options stay as they are, and so does what stands behind `--`.
 *
 * @param passOver is told the options that are left out with their values
 */
export function translateArguments(
  args: readonly string[],
  program: Command,
  passOver: (name: string) => void = () => {},
): string[] {
  const options = program.commands.find((command) => command.name() === args[0])?.options ?? []
  const find = (name: string) => options.find((option) => option.long === name || option.short === name)
  const translated: string[] = []
  const end = args.indexOf('--')
  let isValue = false
  let isPassedOver = false
  for (const [i, arg] of args.entries()) {
    if (isPassedOver) {
      isPassedOver = false
      continue
    }
    if (isValue || (end >= 0 && i >= end)) {
      translated.push(arg)
      isValue = false
      continue
    }
    const [name, value] = arg.startsWith('--') && arg.includes('=') ? split(arg) : [arg, undefined]
    if (alreadySo.has(name) && !find(name)) continue
    if (decidedHere.has(name) && !find(name)) {
      passOver(name)
      isPassedOver = value === undefined
      continue
    }
    const ours = find(name) ? name : (llamaNames.get(name) ?? name)
    translated.push(value === undefined ? ours : `${ours}=${value}`)
    isValue = value === undefined && find(ours)?.required === true
  }
  return translated
}

function split(arg: string): [string, string] {
  const at = arg.indexOf('=')
  return [arg.slice(0, at), arg.slice(at + 1)]
}

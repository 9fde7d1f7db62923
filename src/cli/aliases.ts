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
  }),
)

/** Switches of llama.cpp's commands that ask for what is done here anyway; they take no value. */
const alreadySo = new Set([
  '--jinja',
  '--no-webui',
  '--cont-batching',
  '-cb',
  '--no-warmup',
  '-no-cnv',
  '--slots',
  '--metrics',
])

/**
 * Rewrites arguments as llama.cpp names them into ours, also where a command has no such option: `-ngl` would else be read
 * as `-n gl`. Values of options stay as they are, and so does what stands behind `--`.
 */
export function translateArguments(args: readonly string[], program: Command): string[] {
  const options = program.commands.find((command) => command.name() === args[0])?.options ?? []
  const find = (name: string) => options.find((option) => option.long === name || option.short === name)
  const translated: string[] = []
  const end = args.indexOf('--')
  let isValue = false
  for (const [i, arg] of args.entries()) {
    if (isValue || (end >= 0 && i >= end)) {
      translated.push(arg)
      isValue = false
      continue
    }
    const [name, value] = arg.startsWith('--') && arg.includes('=') ? split(arg) : [arg, undefined]
    if (alreadySo.has(name) && !find(name)) continue
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

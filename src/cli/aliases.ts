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
 * Rewrites arguments as llama.cpp names them into ours. What a command does not know stays as it is, and is refused
 * under the name the user wrote.
 */
export function translateArguments(args: readonly string[], program: Command): string[] {
  const command = program.commands.find((one) => one.name() === args[0])
  const knows = (name: string) =>
    command?.options.some((option) => option.long === name || option.short === name) ?? false
  const translated: string[] = []
  for (const [i, arg] of args.entries()) {
    // Behind `--`, and as the value of another option, nothing is ours to rewrite.
    if (args.slice(0, i).includes('--')) {
      translated.push(arg)
      continue
    }
    const [name, value] = arg.startsWith('--') && arg.includes('=') ? split(arg) : [arg, undefined]
    if (alreadySo.has(name) && !knows(name)) continue
    const ours = llamaNames.get(name)
    if (ours === undefined || !knows(ours) || knows(name)) translated.push(arg)
    else translated.push(value === undefined ? ours : `${ours}=${value}`)
  }
  return translated
}

function split(arg: string): [string, string] {
  const at = arg.indexOf('=')
  return [arg.slice(0, at), arg.slice(at + 1)]
}

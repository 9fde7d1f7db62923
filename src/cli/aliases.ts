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
    '-mu': '--model',
    '--model-url': '--model',
    '-rea': '--reasoning',
    '--top-nsigma': '--top-n-sigma',
    '--typical-p': '--typical',
    '--log-verbose': '--verbose',
  }),
)

/** Switches of llama.cpp's commands that ask for what is the case here anyway; they take no value. */
const alreadySo = new Set([
  ...['--jinja', '--cont-batching', '-cb', '--warmup', '--no-warmup', '-no-cnv', '--cache-prompt', '--props'],
  ...['--slots', '--metrics', '--ui', '--webui', '--kv-unified', '-kvu', '--no-kv-unified', '-no-kvu', '--swa-full'],
  ...['--no-context-shift', '--escape', '-e', '--perf', '--no-perf', '--kv-offload', '-kvo', '--repack', '--mmap'],
  ...['--no-mmproj', '--no-mmproj-auto', '--cache-idle-slots', '--no-cache-idle-slots', '--backend-sampling', '-bs'],
  ...['--prefill-assistant', '--no-skip-chat-parsing', '--no-agent', '-no-ag', '--no-ui-mcp-proxy'],
  ...['--log-timestamps', '--no-log-timestamps', '--log-prefix', '--no-log-prefix', '--no-log-jsonl'],
  ...['--spec-draft-backend-sampling', '--no-spec-draft-backend-sampling'],
])

/**
 * Options of llama.cpp's commands, each with a value, for how forwards are made or how long to wait. Here that is measured,
 * or decided elsewhere; no text depends on it.
 */
const decidedHere = new Set([
  ...['-b', '--batch-size', '-ub', '--ubatch-size', '-tb', '--threads-batch', '--threads-http', '-to', '--timeout'],
  ...['--poll', '--poll-batch', '--prio', '--prio-batch', '-C', '--cpu-mask', '-Cb', '--cpu-mask-batch', '-Cr'],
  ...['--cpu-range', '-Crb', '--cpu-range-batch', '--cpu-strict', '--cpu-strict-batch', '--numa', '--load-mode', '-lm'],
  ...['--fit', '-fit', '--fit-target', '-fitt', '--fit-ctx', '-fitc', '--defrag-thold', '-dt', '--lazy-mode', '-lzm'],
  ...['--cache-reuse', '-sps', '--slot-prompt-similarity', '--ctx-checkpoints', '-ctxcp', '--swa-checkpoints'],
  ...['--checkpoint-min-step', '-cms', '--keep', '--sse-ping-interval', '--log-colors', '--verbosity', '-lv'],
  ...['--draft', '--draft-max', '--draft-min', '--draft-n', '--draft-n-min', '--draft-p-min', '--draft-p-split'],
  ...['--threads-draft', '-td', '--threads-batch-draft', '-tbd', '--gpu-layers-draft', '--n-gpu-layers-draft', '-ngld'],
  ...[
    '--device-draft',
    '-devd',
    '--ctx-size-draft',
    '-cd',
    '--cache-type-k-draft',
    '-ctkd',
    '--cache-type-v-draft',
    '-ctvd',
  ],
])

/** Whether an option with a value says how forwards are made: the many of speculative decoding by how they begin. */
function isDecidedHere(name: string): boolean {
  return (
    decidedHere.has(name) ||
    /^--spec-(?:draft-(?!model$|hf$|backend-sampling$|cpu-moe$)|ngram-|synth-|type$)/.test(name)
  )
}

/**
 * Translates llama.cpp's names of options into ours, even if a command has no such option: otherwise `-ngl` would be read
 * as `-n gl`. Values of options stay as they are, and so does everything after `--`.
 *
 * @param passOver called with each option that is left out
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
    const [said, value] = arg.startsWith('--') && arg.includes('=') ? split(arg) : [arg, undefined]
    // llama.cpp takes words of a name apart by lines of either kind.
    const name = said.startsWith('--') ? said.replaceAll('_', '-') : said
    if (alreadySo.has(name) && !find(name)) continue
    if (isDecidedHere(name) && !find(name)) {
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

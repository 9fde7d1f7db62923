/** The command line of one benchmark: what each option means stands where it is declared, and `--help` prints it. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { commands } from '../commands.js'

/** An option as `parseArgs` has it, and what it means; `value` stands for what it takes: `N`, `FILE`, … */
export type Option = NonNullable<ParseArgsConfig['options']>[string] & { value?: string; help: string }

/** What stands on the command line besides options, e.g. `FILE…`. */
export interface Positionals {
  name: string
  help: string
  /** Whether one at least is needed. */
  required?: boolean
}

/**
 * Reads the options of a benchmark. Prints help and ends where asked to; where they cannot be read, says so in one
 * sentence and ends with code 2.
 */
export function readArguments<Options extends Record<string, Option>>(
  name: string,
  options: Options,
  { name: positional, help, required = false }: Partial<Positionals> = {},
) {
  const wanted = process.argv.slice(2)
  if (wanted.includes('--help') || wanted.includes('-h')) {
    console.log(`usage: npm run bench -- ${name}${positional ? ` ${positional}` : ''} [options]\n\n${commands[name]}\n`)
    const left = ([key, { short, type, value = 'TEXT' }]: [string, Option]) =>
      `${short ? `-${short}, ` : ''}--${key}${type === 'string' ? ` ${value}` : ''}`
    const right = ({ help, default: preset }: Option) =>
      preset === undefined || typeof preset === 'boolean' || preset.length === 0 ? help : `${help} (default: ${preset})`
    const lines = Object.entries(options).map((entry) => [left(entry), right(entry[1])])
    if (positional) lines.unshift([positional, help ?? ''])
    const width = Math.max(...lines.map(([text]) => text.length)) + 2
    for (const [text, meaning] of lines) console.log(`  ${text.padEnd(width)}${meaning}`)
    process.exit(0)
  }
  try {
    const parsed = parseArgs({ args: wanted, options, allowPositionals: positional !== undefined })
    if (required && parsed.positionals.length === 0) refuse(name, `expected ${positional}: ${help}`)
    return parsed
  } catch (error) {
    return refuse(name, error instanceof Error ? error.message : String(error))
  }
}

/** Says what is wrong with the command line, and ends. */
export function refuse(name: string, problem: string): never {
  console.error(`bench ${name}: ${problem}\nnpm run bench -- ${name} --help tells the options`)
  process.exit(2)
}

/** `npm run bench -- NAME [options]`: finds the benchmark and runs it; each explains its options with `--help`. */
import { fileURLToPath } from 'node:url'
import { commands } from './commands.js'

const [first, ...rest] = process.argv.slice(2)
const isName = first !== undefined && !first.startsWith('-')
if (first === '--help' || first === '-h' || first === 'help') list(console.log)
else if (isName && !Object.hasOwn(commands, first)) {
  console.error(`no benchmark is called ${first}`)
  list(console.error)
  process.exitCode = 2
} else {
  const name = isName ? first : 'report'
  const module = new URL(`./${name}.js`, import.meta.url)
  process.argv = [process.argv[0], fileURLToPath(module), ...(isName ? rest : process.argv.slice(2))]
  try {
    await import(module.href)
  } catch (error) {
    // What a user can mend is one sentence; the rest wants its stack.
    const isPlain = error instanceof Error && 'code' in error
    console.error(isPlain ? `bench ${name}: ${error.message}` : error)
    process.exitCode = 1
  }
}

function list(print: (line: string) => void): void {
  print('usage: npm run bench -- [NAME] [options]      npm run bench -- NAME --help\n')
  for (const [name, sentence] of Object.entries(commands)) print(`  ${name.padEnd(16)}${sentence}`)
}

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { commands } from '../../bench/commands.js'

const read = (name: string) => readFileSync(`bench/${name}.ts`, 'utf8')

describe('npm run bench', () => {
  it.each(Object.keys(commands))('has a file for %s, which reads its options by that name', (name) => {
    expect(existsSync(`bench/${name}.ts`)).toBe(true)
    if (name !== 'report') expect(read(name)).toMatch(new RegExp(`readArguments\\(\\s*'${name}'`))
  })

  it('lists every file that is a benchmark', () => {
    const files = readdirSync('bench').flatMap((file) => (file.endsWith('.ts') ? [file.slice(0, -3)] : []))
    const benchmarks = files.filter((name) => name !== 'arguments' && read(name).includes('readArguments('))
    expect(benchmarks.filter((name) => !(name in commands))).toEqual([])
  })

  it('leaves no figure in the docs to a command that is gone', () => {
    const docs = readdirSync('docs').filter((file) => file.endsWith('.md'))
    for (const file of ['README.md', ...docs.map((file) => `docs/${file}`)])
      for (const [line, name] of readFileSync(file, 'utf8').matchAll(/npm run bench -- ([a-z][\w-]*)/g))
        expect(Object.keys(commands), `${file}: ${line}`).toContain(name)
  })
})

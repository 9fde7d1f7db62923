/** The table of docs/chat.md: recorded formats of model families, and how many of them we render and understand. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { readArguments, refuse } from './kit/arguments.js'
import {
  compareCalls,
  compareOutputs,
  comparePrompts,
  type Formats,
  type OutputCase,
  type PromptCase,
} from './kit/formats.js'

const { positionals, values } = readArguments(
  'chat',
  {
    failures: { type: 'boolean', default: false, help: 'print each case that differs, with what was wanted and got' },
    family: { type: 'string', value: 'NAME', help: 'only families whose name holds this' },
  },
  { name: 'FOLDER', help: 'templates.json.gz, prompts.jsonl.gz and outputs.jsonl.gz', required: true },
)

const columns = ['chat', 'thinking', 'tools', 'tool loop', 'strict'] as const
type Column = (typeof columns)[number]

const formats = readFormats(positionals[0])
const table = new Map<string, Map<Column, { right: number; all: number }>>()
const wrong: string[] = []
const totals = { prompts: [0, 0], outputs: [0, 0], calls: [0, 0] }

for (const { case: one, isRight, got } of comparePrompts(formats)) {
  note(one.template, columnOfPrompt(one), isRight)
  count('prompts', isRight)
  if (!isRight)
    wrong.push(
      `${one.id}\n  wanted ${part(one.expect.prompt ?? 'a refusal', got)}\n  got    ${part(got, one.expect.prompt ?? '')}`,
    )
}
for (const { case: one, isRight, got } of compareOutputs(formats)) {
  note(one.template, columnOfOutput(one), isRight)
  count('outputs', isRight)
  if (!isRight) wrong.push(`${one.id}\n  wanted ${JSON.stringify(one.expect)}\n  got    ${JSON.stringify(got)}`)
}
for (const { case: one, isRight, got } of compareCalls(formats)) {
  note(one.template, 'strict', isRight)
  count('calls', isRight)
  if (!isRight)
    wrong.push(`${one.id} (strict)\n  wanted ${JSON.stringify(one.output)}\n  got    ${JSON.stringify(got)}`)
}
console.log(`| family | ${columns.join(' | ')} |\n|---|${columns.map(() => '---|').join('')}`)
for (const [family, cells] of [...table].sort(([a], [b]) => a.localeCompare(b)))
  console.log(`| ${family} | ${columns.map((column) => shown(cells.get(column))).join(' | ')} |`)
console.log(
  `\nprompts to the letter: ${totals.prompts.join(' of ')}; outputs understood: ${totals.outputs.join(' of ')}; calls within the grammar: ${totals.calls.join(' of ')}`,
)
console.log(`\nwhat differs: ${wrong.map((text) => text.split('\n')[0]).join(', ')}`)
if (values.failures) console.log(`\n${wrong.join('\n\n')}`)

function readFormats(folder: string): Formats {
  const read = (name: string) => {
    try {
      return gunzipSync(readFileSync(path.join(folder, `${name}.gz`))).toString()
    } catch (error) {
      return refuse('chat', `${path.join(folder, `${name}.gz`)} cannot be read: ${(error as Error).message}`)
    }
  }
  const lines = (name: string) =>
    read(name)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
      .filter(({ template }) => template.includes(values.family ?? ''))
  return {
    templates: JSON.parse(read('templates.json')),
    prompts: lines('prompts.jsonl'),
    outputs: lines('outputs.jsonl'),
  }
}

function columnOfPrompt({ messages, tools, enable_thinking }: PromptCase): Column {
  if (messages.some(({ role }) => role === 'tool')) return 'tool loop'
  if (tools && tools.length > 0) return 'tools'
  const thinks = enable_thinking !== undefined || messages.some((message) => message.reasoning_content)
  return thinks ? 'thinking' : 'chat'
}

function columnOfOutput({ expect }: OutputCase): Column {
  if (expect.tool_calls.length > 0) return 'tools'
  return expect.reasoning_content ? 'thinking' : 'chat'
}

function note(family: string, column: Column, isRight: boolean): void {
  const cells = table.get(family) ?? new Map<Column, { right: number; all: number }>()
  const cell = cells.get(column) ?? { right: 0, all: 0 }
  cells.set(column, { right: cell.right + (isRight ? 1 : 0), all: cell.all + 1 })
  table.set(family, cells)
}

function count(kind: keyof typeof totals, isRight: boolean): void {
  if (isRight) totals[kind][0]++
  totals[kind][1]++
}

function shown(cell: { right: number; all: number } | undefined): string {
  if (!cell) return '–'
  return cell.right === cell.all ? `✓ ${cell.all}` : `${cell.right} of ${cell.all}`
}

/** The place where a text parts from another. */
function part(text: string, other: string): string {
  let at = 0
  while (at < text.length && text[at] === other[at]) at++
  return JSON.stringify(text.slice(Math.max(0, at - 40), at + 60))
}

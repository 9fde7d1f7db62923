/**
 * The JSON-Schema-Test-Suite (github.com/json-schema-org/JSON-Schema-Test-Suite): what the grammars of its schemas admit.
 * Nothing invalid may be; what is refused is counted, as are valid values that no grammar here writes, such as
 * properties in another order. Texts written at random under each grammar go before another validator (ajv) besides.
 *
 *     git clone https://github.com/json-schema-org/JSON-Schema-Test-Suite
 *     npm run bench -- schemas JSON-Schema-Test-Suite
 *
 * Ends with code 1 where something invalid is admitted.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Ajv } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { formatTable } from '../src/cli/terminal.js'
import { GrammarError } from '../src/grammar/error.js'
import { compileSchema, type JsonSchema } from '../src/grammar/json-schema.js'
import { admits } from '../test/helpers/byte-grammar.js'
import { GrammarWalk } from '../test/helpers/grammar-walk.js'
import { readArguments, refuse } from './kit/arguments.js'
import { generator } from './kit/workloads.js'

const { values, positionals } = readArguments(
  'schemas',
  {
    texts: { type: 'string', default: '20', value: 'N', help: 'texts written at random under each grammar' },
    refusals: { type: 'boolean', help: 'list what is refused, and why' },
    unwritten: { type: 'boolean', help: 'list valid values that no grammar admits' },
  },
  { name: 'FOLDER', help: 'a clone of the suite', required: true },
)

interface Group {
  description: string
  schema: JsonSchema
  tests: { description: string; data: unknown; valid: boolean }[]
}

/**
 * Files that ask for what no validator has to do: colours, content within texts, and telling 1.0 from 1, which
 * JavaScript does not.
 */
const passedOver = ['format/color.json', 'optional/content.json', 'zeroTerminatedFloats.json']

const [folder] = positionals
const validators = { draft6: Ajv, draft7: Ajv, 'draft2019-09': Ajv2019, 'draft2020-12': Ajv2020 }
const drafts = ['draft3', 'draft4', ...Object.keys(validators)]
const table: (string | number)[][] = []
let faults = 0
for (const draft of drafts) {
  const counts = { schemas: 0, refused: 0, invalid: 0, admittedInvalid: 0, valid: 0, admitted: 0, texts: 0 }
  for (const file of filesOf(path.join(folder, 'tests', draft))) {
    const groups = JSON.parse(readFileSync(file, 'utf8')) as Group[]
    // Formats are a remark by the later drafts, and held here in any case.
    const holdsFormats = file.includes('format')
    for (const { description, schema, tests } of groups) {
      counts.schemas++
      const name = `${draft}/${path.basename(file, '.json')}: ${description}`
      const grammar = compiled(schema, name)
      if (grammar === undefined) {
        counts.refused++
        continue
      }
      for (const { description, data, valid } of tests) {
        const isAdmitted = admits(grammar, JSON.stringify(data))
        counts[valid ? 'valid' : 'invalid']++
        if (isAdmitted && valid) counts.admitted++
        else if (isAdmitted) {
          counts.admittedInvalid++
          fault(`${name}: ${description}: admitted ${JSON.stringify(data)} under ${JSON.stringify(schema)}`)
        } else if (valid && values.unwritten && !holdsFormats)
          console.log(`not written: ${name}: ${description}: ${JSON.stringify(data)}`)
      }
      counts.texts += write(draft, { description, schema, tests }, grammar, name)
    }
  }
  table.push([draft, ...Object.values(counts)])
}
const titles = ['', 'schemas', 'refused', 'invalid', 'admitted', 'valid', 'admitted', 'texts valid for ajv']
for (const line of formatTable([titles, ...table.map((row) => row.map(String))])) console.log(line)
console.log(JSON.stringify({ drafts: table, faults }))
process.exitCode = faults > 0 ? 1 : 0

function fault(what: string): void {
  faults++
  console.log(`FAULT ${what}`)
}

function filesOf(place: string): string[] {
  try {
    return readdirSync(place, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.json') && !passedOver.some((end) => name.endsWith(end)))
      .map((name) => path.join(place, name))
  } catch {
    return refuse('schemas', `${place} cannot be read; is ${folder} a clone of the suite?`)
  }
}

function compiled(schema: JsonSchema, name: string): string | undefined {
  try {
    return compileSchema(schema)
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error
    if (values.refusals) console.log(`refused: ${name}: ${error.message}`)
    return undefined
  }
}

/** Writes texts of a grammar and has them checked. @returns how many there were */
function write(draft: string, { schema, tests }: Group, gbnf: string, name: string): number {
  const validate = validatorOf(draft, schema)
  // A validator that errs on the suite itself is not asked.
  if (tests.some(({ data, valid }) => validate?.(data) !== valid)) return 0
  const walk = new GrammarWalk(gbnf)
  if (!validate || !walk.isPossible) return 0
  const random = generator(1)
  const wanted = Number(values.texts)
  for (let i = 0; i < wanted; i++) {
    const text = walk.write(random, 60)
    if (!validate(JSON.parse(text))) fault(`${name}: ${text} is invalid under ${JSON.stringify(schema)}`)
  }
  return wanted
}

function validatorOf(draft: string, schema: JsonSchema): ((value: unknown) => boolean) | undefined {
  if (!Object.hasOwn(validators, draft)) return undefined
  const ajv = new validators[draft as keyof typeof validators]({
    strict: false,
    logger: false,
    multipleOfPrecision: 9,
    ownProperties: true,
  })
  addFormats.default(ajv as Ajv)
  try {
    return ajv.compile(schema)
  } catch {
    // Schemas that lead to others elsewhere.
    return undefined
  }
}

/**
 * Answers under a grammar by the embedded model: how many tokens a forward yields where what the grammar forces is
 * drafted, where retrieval drafts, and where both do. No time is measured.
 *
 *     npm run bench -- forced
 */

import { formatTable } from '../src/cli/terminal.js'
import type { Drafter } from '../src/draft/drafter.js'
import { ForcedDrafter } from '../src/draft/forced.js'
import { RetrievalDrafter } from '../src/draft/retrieval.js'
import { Engine } from '../src/engine/engine.js'
import type { ChatRequest } from '../src/engine/options.js'
import { nothing } from '../test/helpers/fake-drafters.js'
import { readArguments } from './kit/arguments.js'
import { demoQuestions, embeddedModel } from './kit/embedded.js'

const { values } = readArguments('forced', {
  model: { type: 'string', value: 'FILE', help: 'GGUF that answers (default: the embedded model)' },
  nodes: { type: 'string', default: '16', value: 'N', help: 'nodes of every draft' },
  questions: { type: 'string', default: '4', value: 'N', help: 'questions of the demo' },
  tokens: { type: 'string', default: '160', value: 'N', help: 'tokens of an answer, at most' },
})

const text = (maxLength: number) => ({ type: 'string', maxLength })
const object = (properties: Record<string, unknown>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
const product = object({
  name: text(24),
  currency: { enum: ['EUR', 'USD', 'CHF'] },
  annual_fee: { type: 'integer', minimum: 0, maximum: 999 },
  requires_identity_document: { type: 'boolean' },
  processing_time_in_working_days: { type: 'integer', minimum: 1, maximum: 60 },
})
const list = object({
  products: {
    type: 'array',
    minItems: 3,
    maxItems: 3,
    items: object({ product_name: text(16), is_available: { type: 'boolean' }, rating: { enum: [1, 2, 3, 4, 5] } }),
  },
  source_document: text(24),
})
const tool = (name: string, parameters: Record<string, unknown>) => ({
  type: 'function' as const,
  function: { name, parameters },
})
const tools = [tool('open_customer_account', product), tool('compare_products', list)]

/** Ways of calling, each with a template that shows it as its family does. */
const say =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% if m.tool_calls %}{% for call in m.tool_calls %}'
const end = '{% endfor %}{% endif %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n'
const shown =
  '{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}'
const dialects = {
  'calls in JSON': `${shown}${say}<tool_call>\n{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}\n</tool_call>${end}`,
  'calls in tags': `${shown}${say}<tool_call>\n<function={{ call.function.name }}>\n{% for k, v in call.function.arguments | items %}<parameter={{ k }}>\n{{ v if v is string else v | tojson }}\n</parameter>\n{% endfor %}</function>\n</tool_call>${end}`,
}

/** A line per record, as a grammar of one's own may ask for it. */
const table = `root ::= "product;annual fee in EUR;working days\\n" row row row
row ::= [A-Za-z ]{3,20} ";" [0-9]{1,3} ";" [0-9]{1,2} "\\n"`

const works: { name: string; template?: string; ask: Partial<ChatRequest> }[] = [
  { name: 'schema of a record', ask: { jsonSchema: product } },
  { name: 'schema of a list of records', ask: { jsonSchema: list } },
  ...Object.entries(dialects).map(([name, template]) => ({
    name,
    template,
    ask: { tools: [tools[0]], toolChoice: 'required' as const },
  })),
  { name: 'two tools to choose from', template: dialects['calls in JSON'], ask: { tools, toolChoice: 'required' } },
  { name: 'grammar of a table', ask: { grammar: table } },
]

const model = values.model ?? embeddedModel
const draft = Number(values.nodes)
const maxTokens = Number(values.tokens)
const questions = demoQuestions().slice(0, Number(values.questions))

const rows = [['', 'tokens', 'forced', 'retrieval', 'both', 'known: retrieval', 'both']]
for (const { name, template, ask } of works) {
  await using engine = await Engine.load({ model, chatTemplate: template, threads: 1 })
  const retrieval = () => new RetrievalDrafter({ spelling: engine.spelling })
  // Most models write their JSON on one line; this one, which has never seen any, does not of itself.
  const logitBias: Record<number, number> = {}
  if (ask.jsonSchema) for (const token of engine.tokenize('\n')) logitBias[token] = Number.NEGATIVE_INFINITY
  let written = 0
  /** Tokens per forward over all questions. */
  const edlOf = async (drafterOf: () => Drafter) => {
    let tokens = 0
    let forwards = 0
    for (const { question, documents } of questions) {
      const messages = [{ role: 'user', content: question }]
      const shown = template ? undefined : documents
      const request = { messages, documents: shown, maxTokens, draft, drafter: drafterOf(), logitBias }
      const { stats } = await engine.chat({ ...ask, ...request }).result
      tokens += stats.completionTokens
      forwards += stats.forwards
    }
    written = tokens
    return tokens / forwards
  }
  const [known, knownBoth] = [retrieval(), new ForcedDrafter(retrieval())]
  const forced = new ForcedDrafter(nothing)
  const figures = [
    await edlOf(() => forced),
    await edlOf(retrieval),
    await edlOf(() => new ForcedDrafter(retrieval())),
    await edlOf(() => known),
    await edlOf(() => knownBoth),
  ]
  rows.push([name, String(written), ...figures.map((edl) => edl.toFixed(2))])
}
console.log(`Tokens per forward, ${draft} nodes in every forward; known: what earlier answers left\n`)
for (const line of formatTable(rows)) console.log(line)

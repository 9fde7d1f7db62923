// What makes grammars of schemas and tools, as one thing that can be handed to another thread.

import { type JsonSchema, jsonSchemaToGrammar } from '../grammar/json-schema.js'
import { type AnswerDemand, type AnswerGrammar, answerGrammar } from './call-grammar.js'
import type { Dialect } from './dialect.js'

/** A grammar to be written: of the values of a schema, or of an answer in a family's own way of writing. */
export type GrammarJob =
  | { kind: 'schema'; schema: JsonSchema /** As whoever sent the schema named it. */; field: string }
  | { kind: 'answer'; dialect: Dialect; demand: AnswerDemand }

/** Does it. @throws GrammarError `schema-invalid` */
export function writeGrammar(job: GrammarJob): AnswerGrammar | undefined {
  return job.kind === 'schema'
    ? { grammar: jsonSchemaToGrammar(job.schema, job.field) }
    : answerGrammar(job.dialect, job.demand)
}

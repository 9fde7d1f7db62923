// The embedded model, and the questions that come with it.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { DemoQuestion } from '../../src/cli/embedded.js'
import { root } from './machine.js'

/** The file of the embedded model. */
export const embeddedModel: string = path.join(root, 'models', 'lookahead-qa.gguf')

/** The demo's questions, in the order in which they are asked. */
export function demoQuestions(): DemoQuestion[] {
  return readModels('demo.json') as DemoQuestion[]
}

/** A grounded question. */
export interface SamplePrompt {
  question: string
  documents: { title?: string; text: string }[]
}

/** The embedded model's sample questions, one of each topic after the other, so that neighbours share no documents. */
export function samplePrompts(): SamplePrompt[] {
  const samples = readModels('samples.json') as {
    documents: SamplePrompt['documents']
    questions: [question: string, answer: string][]
  }[]
  const most = Math.max(...samples.map(({ questions }) => questions.length))
  return Array.from({ length: most }, (_, i) => i).flatMap((i) =>
    samples.flatMap(({ documents, questions }) => (questions[i] ? [{ question: questions[i][0], documents }] : [])),
  )
}

function readModels(file: string): unknown {
  return JSON.parse(readFileSync(path.join(root, 'models', file), 'utf8'))
}

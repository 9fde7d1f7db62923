// The sample questions of the embedded model.

import { readFileSync } from 'node:fs'

/** A grounded question. */
export interface SamplePrompt {
  question: string
  documents: { title?: string; text: string }[]
}

/** The embedded model's sample questions, one of each topic after the other, so that neighbours share no documents. */
export function samplePrompts(): SamplePrompt[] {
  const samples = JSON.parse(readFileSync(new URL('../../../models/samples.json', import.meta.url), 'utf8')) as {
    documents: SamplePrompt['documents']
    questions: [question: string, answer: string][]
  }[]
  const most = Math.max(...samples.map(({ questions }) => questions.length))
  return Array.from({ length: most }, (_, i) => i).flatMap((i) =>
    samples.flatMap(({ documents, questions }) => (questions[i] ? [{ question: questions[i][0], documents }] : [])),
  )
}

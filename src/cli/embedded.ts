import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { RequestDocument } from '../engine/options.js'
import { UsageError } from './failure.js'

/** The folder of the model that comes with the package. */
const modelsFolder = new URL('../../models/', import.meta.url)

/** Path of the embedded model. @throws UsageError if the package was installed without it */
export function embeddedModel(): string {
  const file = fileURLToPath(new URL('lookahead-qa.gguf', modelsFolder))
  if (!existsSync(file)) throw new UsageError('the embedded model is missing from this installation; give one with -m')
  return file
}

/** A question of the demo with the documents retrieved for it. */
export interface DemoQuestion {
  question: string
  documents: RequestDocument[]
}

/** The demo's questions, in the order in which they are asked. */
export async function demoQuestions(): Promise<DemoQuestion[]> {
  return JSON.parse(await readFile(new URL('demo.json', modelsFolder), 'utf8')) as DemoQuestion[]
}

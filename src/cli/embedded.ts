// The questions that come with the embedded model.

import { readFile } from 'node:fs/promises'
import type { RequestDocument } from '../engine/options.js'

/** The folder of the embedded model, and of the questions it is shown with. */
const modelsFolder = new URL('../../models/', import.meta.url)

/** A question of the demo with the documents retrieved for it. */
export interface DemoQuestion {
  question: string
  documents: RequestDocument[]
}

/** The demo's questions, in the order in which they are asked. */
export async function demoQuestions(): Promise<DemoQuestion[]> {
  return JSON.parse(await readFile(new URL('demo.json', modelsFolder), 'utf8')) as DemoQuestion[]
}

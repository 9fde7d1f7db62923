// Grounded questions: made-up services, their documents, and what is asked about them.

import type { Task } from '../contest/contestant.js'

/** A question with the documents that were retrieved for it. */
export interface Question {
  id: string
  kind: QuestionKind
  question: string
  documents: { title: string; text: string }[]
}

/** What is asked for; longer answers quote more. */
export type QuestionKind = 'one fact' | 'two facts' | 'summary'

interface Service {
  name: string
  sentences: Record<Fact, string>
}

type Fact = 'cost' | 'time' | 'documents' | 'channel' | 'extra'

const places = ['Alder', 'Brinmoor', 'Caldby', 'Dunmere', 'Eastlow', 'Farnholm', 'Greyford', 'Halewick', 'Inverden']
const offers = ['parking permit', 'library card', 'travel card', 'home insurance', 'swimming pass', 'savings account']
const papers = [
  'a valid passport',
  'proof of address',
  'a recent utility bill',
  'the vehicle registration',
  'two photos',
]
const channels = ['online', 'by post', 'at the service desk', 'by telephone', 'in the app']
const extras = [
  'Cancellation is free within 14 days.',
  'It can be used from the day after it was issued.',
  'A lost card is replaced once for free.',
  'Residents over 65 pay half of the price.',
]

const asks: Record<QuestionKind, readonly ((name: string) => string)[]> = {
  'one fact': [
    (name) => `How much does the ${name} cost?`,
    (name) => `Which documents do I need for the ${name}?`,
    (name) => `How can I apply for the ${name}?`,
  ],
  'two facts': [
    (name) => `How much does the ${name} cost? And how long does it take?`,
    (name) => `How can I apply for the ${name}? And which documents do I need for it?`,
  ],
  summary: [
    (name) => `Give me a summary of the ${name}.`,
    (name) => `Tell me about the ${name}.`,
    (name) => `What do you know about the ${name}?`,
  ],
}

/**
 * Questions to a help centre with 2 or 3 documents each, as a retrieval step would bring them; the same for the same
 * seed. Services come back in later questions, with other documents beside them in another order.
 */
export function groundedQuestions(count: number, seed = 1): Question[] {
  const random = generator(seed)
  const names = shuffled(
    places.flatMap((place) => offers.map((offer) => `${place} ${offer}`)),
    random,
  )
  const services = names.slice(0, Math.max(4, Math.ceil(count / 3))).map((name) => makeService(name, random))
  const kinds = Object.keys(asks) as QuestionKind[]
  return Array.from({ length: count }, (_, k) => {
    const kind = kinds[k % kinds.length]
    const service = services[Math.floor(random() * services.length)]
    const others = shuffled(services, random).filter((other) => other !== service)
    const documents = shuffled([service, ...others.slice(0, 1 + Math.floor(random() * 2))], random)
    return {
      id: `${kind} ${k + 1}`,
      kind,
      question: pick(asks[kind], random)(service.name),
      documents: documents.map(({ name, sentences }) => ({ title: name, text: Object.values(sentences).join(' ') })),
    }
  })
}

/** Questions as tasks, with the prompts that `render` and `tokenize` of a model make of them. */
export function questionTasks(
  questions: readonly Question[],
  render: (question: Question) => { text: string; prompt: Int32Array },
  maxTokens: number,
): Task[] {
  return questions.map((question) => {
    const { text, prompt } = render(question)
    return { id: question.id, kind: question.kind, prompt: Array.from(prompt), text, maxTokens }
  })
}

function makeService(name: string, random: () => number): Service {
  const price = 5 * (2 + Math.floor(random() * 40))
  const days = 2 + Math.floor(random() * 20)
  const needed = shuffled(papers, random).slice(0, 3)
  const ways = shuffled(channels, random).slice(0, 3)
  const sentences = {
    documents: `You need ${needed[0]}, ${needed[1]} and ${needed[2]}.`,
    time: `Applications are processed within ${days} working days.`,
    channel: `You can apply ${ways[0]}, ${ways[1]} and ${ways[2]}.`,
    cost: `The ${name} costs ${price} euros per year.`,
    extra: pick(extras, random),
  }
  return { name, sentences }
}

function pick<T>(items: readonly T[], random: () => number): T {
  return items[Math.floor(random() * items.length)]
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[copy[i], copy[j]] = [copy[j], copy[i]]
  }
  return copy
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

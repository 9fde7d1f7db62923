// The vocabulary of a model file, without its weights.

import { Model } from './model.js'
import { Vocabulary } from './vocabulary.js'

/**
 * Loads the vocabulary of a GGUF file, without its weights. Dispose of it with `using`.
 *
 * @example
 * using vocabulary = await loadVocabulary('model.gguf')
 * const ids = vocabulary.tokenize('Hello world')
 * vocabulary.textOf(ids) // 'Hello world', behind a space in SentencePiece vocabularies
 * @throws LlamaError as for models
 */
export async function loadVocabulary(file: string): Promise<Vocabulary> {
  const model = await Model.load(file, { vocabularyOnly: true })
  const { vocabulary } = model
  return new Vocabulary(
    model.library,
    vocabulary.pointer,
    (key) => model.metadata(key),
    () => void model[Symbol.asyncDispose](),
  )
}

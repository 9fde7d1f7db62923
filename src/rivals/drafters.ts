// All drafters by name.

import type { Spelling } from '../corpus/spelling.js'
import type { Drafter } from '../draft/drafter.js'
import { RetrievalDrafter } from '../draft/retrieval.js'
import { NgramSimpleDrafter } from './ngram-simple.js'
import { OracleDrafter } from './oracle.js'
import { PaperTrieDrafter } from './paper-trie.js'
import { PromptLookupDrafter } from './prompt-lookup.js'
import { SuffixDecodingDrafter } from './suffix-decoding.js'

/**
 * Every drafter, by its name in tables: ours, the baselines it is compared with, and the ceiling for drafts that continue
 * an earlier occurrence of the last token. Each call makes one that knows nothing yet; ours uses the spelling of tokens.
 */
export const drafters = {
  /** Ours: retrieval from everything read and written. */
  lookahead: (spelling?: Spelling) => new RetrievalDrafter({ spelling }),
  /** The paper's own trie. */
  'paper-trie': () => new PaperTrieDrafter(),
  /** Arctic's suffix decoding. */
  'suffix-tree': () => new SuffixDecodingDrafter(),
  /** What followed the last tokens where they occurred before. */
  'prompt-lookup': () => new PromptLookupDrafter(),
  /** llama.cpp's `ngram-simple`. */
  'ngram-simple': () => new NgramSimpleDrafter(),
  /** Sees the answer; no drafter that continues earlier text can do better. */
  oracle: () => new OracleDrafter(),
} satisfies Record<string, (spelling?: Spelling) => Drafter>

/** Name of a drafter in {@link drafters}. */
export type DrafterName = keyof typeof drafters

/** Names of all drafters, in the order of tables. */
export const drafterNames = Object.keys(drafters) as DrafterName[]

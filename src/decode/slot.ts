// A place for one request in the KV cache.

/** What a slot needs of the request that holds it. */
export interface SlotHolder {
  /** Its tokens, prompt and answer; {@link length} of them are there. */
  readonly tokens: Int32Array
  readonly length: number
  readonly promptLength: number
  /** Tokens whose cells are in the KV cache, in position order. */
  readonly committed: number
  /** Whether the prompt still has tokens without cells besides its last. */
  readonly isPrefilling: boolean
  /** The beginning of its prompt, while the reader reads it. */
  readonly reading?: { readonly done: number } | undefined
}

/** A state as it was at some place in a prompt. */
export interface StateMark {
  readonly length: number
  readonly state: Uint8Array
}

/**
 * A place for one request in the KV cache. It keeps the cells of its last request, so that a prompt which begins alike
 * (the same system message, documents, earlier turns) need not be read again.
 */
export interface Slot {
  readonly index: number
  /** Sequence ids: the first is the request's own, the others serve branches of its drafts. */
  readonly ids: readonly number[]
  /** The position up to which each of {@link ids} shares the cells of the first. */
  readonly syncedPositions: Int32Array
  /** The request that holds the slot. */
  sequence: SlotHolder | undefined
  /** Whose cells these are; only requests of the same owner may reuse them. */
  owner: string
  /** Tokens of the cells kept from the last request. */
  keptTokens: Int32Array
  keptLength: number
  /** Where memory is a state: earlier states of these tokens, the shortest first. */
  readonly marks: StateMark[]
  /** Grows with every use; the smallest was used least recently. */
  lastUse: number
}

/** A slot that holds nothing, with the sequence ids `branches × index` and those that follow. */
export function emptySlot(index: number, branches: number): Slot {
  return {
    index,
    ids: Array.from({ length: branches }, (_, branch) => index * branches + branch),
    syncedPositions: new Int32Array(branches),
    sequence: undefined,
    owner: '',
    keptTokens: new Int32Array(0),
    keptLength: 0,
    marks: [],
    lastUse: 0,
  }
}

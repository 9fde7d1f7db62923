// How far loading has come.

/**
 * The stages of loading an engine, in order: reading the weights; probing how exact forwards are; on devices, computing
 * forwards of every size once, for which they may have to compile; measuring what forwards cost; loading the draft model.
 * A stage whose outcome an earlier load has kept is left out.
 */
export type LoadingStage = 'weights' | 'exactness' | 'warming' | 'cost' | 'draft-model'

/** How far loading has come. */
export interface LoadingProgress {
  /** The stage that begins now or continues. */
  stage: LoadingStage
  /** The share of it that is done, 0 … 1, if that is known. */
  share?: number
}

/** Called as loading goes on. */
export type OnLoadingProgress = (progress: LoadingProgress) => void

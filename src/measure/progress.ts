// How far a load is.

/**
 * What is done while an engine loads, in this order: a model's weights are read; how exact its forwards are is probed; where a
 * device computes, forwards of every size are computed once, for which it may have to compile; what they cost is measured; the
 * draft model is loaded. What an earlier load has found out is left out.
 */
export type LoadingStage = 'weights' | 'exactness' | 'warming' | 'cost' | 'draft-model'

/** Told as loading goes on. */
export interface LoadingProgress {
  /** What begins now, or goes on. */
  stage: LoadingStage
  /** What share of it is done, 0 … 1, where that is known. */
  share?: number
}

/** Is told how far a load is. */
export type OnLoadingProgress = (progress: LoadingProgress) => void

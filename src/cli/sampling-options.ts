import type { Command } from 'commander'
import type { RequestOptions } from '../engine/options.js'
import { decimal, gather, integer } from './arguments.js'

/** What the commands that write can be told about how tokens are drawn, and where to end. */
export interface SamplingOptions {
  maxTokens?: number
  temp?: number
  topK?: number
  topP?: number
  minP?: number
  seed?: number
  repeatPenalty?: number
  presencePenalty?: number
  frequencyPenalty?: number
  stop?: string[]
}

/** Adds the options of {@link SamplingOptions}. */
export function addSamplingOptions(command: Command): Command {
  return command
    .option('-n, --max-tokens <n>', 'most tokens to write (default: until the context is full)', integer(1))
    .option('--temp <t>', 'temperature; 0 is greedy (default: 0)', decimal(0))
    .option('--top-k <k>', 'keep the k most likely tokens, 0: all (default: 40)', integer(0))
    .option('--top-p <p>', 'keep the most likely tokens that reach p together (default: 0.95)', decimal(0, 1))
    .option('--min-p <p>', 'drop tokens below p times the most likely (default: 0.05)', decimal(0, 1))
    .option('-s, --seed <s>', 'seed of the random draws (default: random)', integer(0, 2 ** 32 - 1))
    .option('--repeat-penalty <r>', 'penalty for recent tokens, 1: none (default: 1)', decimal(0))
    .option('--presence-penalty <p>', 'penalty for tokens that stand already, 0: none (default: 0)', decimal(-2, 2))
    .option('--frequency-penalty <p>', 'penalty for each time a token stands, 0: none (default: 0)', decimal(-2, 2))
    .option('--stop <text>', 'end before this text; may be given several times', gather)
}

/** The same as options of a request. */
export function samplingOf(options: SamplingOptions): RequestOptions {
  const { maxTokens, temp, topK, topP, minP, seed, repeatPenalty, presencePenalty, frequencyPenalty, stop } = options
  const penalties = { repeatPenalty, presencePenalty, frequencyPenalty }
  return { maxTokens, temperature: temp, topK, topP, minP, seed, ...penalties, stop }
}

import type { EndReason, GenerationResult, GenerationStep } from '../decode/generation.js'
import type { Engine } from '../engine/engine.js'

/** Upper bounds of the histograms, in seconds; vLLM's. */
const firstTokenSeconds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
]
const interTokenSeconds = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5,
]
const requestSeconds = [0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480]
const acceptedLengths = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64]
const draftNodes = [0, 1, 2, 3, 5, 7, 11, 15, 23, 31, 47, 63, 95, 127, 191, 255]

/** Positions of a draft that are counted apart; deeper ones go into the last. */
const positions = 32

/** Counts in ranges, as Prometheus wants them. */
class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length)
  }

  observe(value: number, times = 1): void {
    this.#sum += value * times
    this.#count += times
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    if (bucket >= 0) this.#counts[bucket] += times
  }

  lines(name: string): string[] {
    let cumulative = 0
    const buckets = this.#bounds.map((bound, i) => {
      cumulative += this.#counts[i]
      return `${name}_bucket{le="${bound}"} ${cumulative}`
    })
    return [
      ...buckets,
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ]
  }
}

/**
 * What the server counts. Names are vLLM's and llama-server's behind the prefix `lookahead:`, so a dashboard made for
 * one of them needs a new prefix and no more.
 */
export class Metrics {
  readonly #accepted = new Float64Array(positions)
  readonly #finished = new Map<EndReason | 'error' | 'refused', number>()
  readonly #firstToken = new Histogram(firstTokenSeconds)
  readonly #interToken = new Histogram(interTokenSeconds)
  readonly #request = new Histogram(requestSeconds)
  readonly #queue = new Histogram(requestSeconds)
  readonly #prefill = new Histogram(requestSeconds)
  readonly #acceptedLength = new Histogram(acceptedLengths)
  #promptTokens = 0
  #promptSeconds = 0
  #cachedTokens = 0
  #writtenTokens = 0
  #writeSeconds = 0
  #forwardSeconds = 0
  #retrievalSeconds = 0
  #steps = 0
  #drafts = 0
  #draftTokens = 0
  #acceptedTokens = 0

  /** The first tokens of an answer have come. */
  firstToken(seconds: number): void {
    this.#firstToken.observe(seconds)
  }

  /** A later step has come, `seconds` after the one before. */
  step(step: GenerationStep, seconds: number): void {
    const tokens = step.pieces.length
    if (tokens === 0) return
    this.#interToken.observe(seconds / tokens, tokens)
    this.#acceptedLength.observe(tokens)
    this.#steps++
    this.#forwardSeconds += step.forwardMs / 1000
    this.#retrievalSeconds += step.retrievalMs / 1000
    if (step.drafted === 0) return
    this.#drafts++
    this.#draftTokens += step.drafted
    this.#acceptedTokens += step.accepted
    for (let i = 0; i < step.accepted; i++) this.#accepted[Math.min(i, positions - 1)]++
  }

  /** An answer is complete. */
  finish({ reason, stats }: GenerationResult, seconds: number): void {
    this.#count(reason)
    this.#request.observe(seconds)
    this.#queue.observe(stats.queuedMs / 1000)
    this.#prefill.observe(stats.prefillMs / 1000)
    this.#promptTokens += stats.promptTokens
    this.#cachedTokens += stats.cachedPromptTokens
    this.#promptSeconds += stats.prefillMs / 1000
    this.#writtenTokens += stats.completionTokens
    this.#writeSeconds += stats.decodeMs / 1000
  }

  /** An answer failed, or a request was refused. */
  fail(what: 'error' | 'refused'): void {
    this.#count(what)
  }

  #count(reason: EndReason | 'error' | 'refused'): void {
    this.#finished.set(reason, (this.#finished.get(reason) ?? 0) + 1)
  }

  /** The text that Prometheus scrapes. */
  render(engine: Engine, startedAt: number): string {
    const lines: string[] = []
    const write = (
      type: 'counter' | 'gauge' | 'histogram',
      name: string,
      help: string,
      values: (name: string) => string[],
    ) =>
      lines.push(`# HELP lookahead:${name} ${help}`, `# TYPE lookahead:${name} ${type}`, ...values(`lookahead:${name}`))
    const one = (value: number) => (name: string) => [`${name} ${Number.isFinite(value) ? value : 0}`]
    const histogram = (values: Histogram) => (name: string) => values.lines(name)
    const drafting = engine.describeDrafting()
    const nodes = new Histogram(draftNodes)
    for (const [size, count] of drafting.forwardsByNodes.entries()) nodes.observe(size, count)
    const namespaces = engine.describeMemory()
    const held = (what: 'documents' | 'requests' | 'tokens' | 'bytes') =>
      one(namespaces.reduce((sum, namespace) => sum + namespace[what], 0))
    const cells = engine.describeSlots().reduce((sum, slot) => sum + (slot?.cachedTokens ?? 0), 0)

    write('gauge', 'num_requests_running', 'Answers being written.', one(engine.runningCount))
    write('gauge', 'num_requests_waiting', 'Answers waiting for a slot.', one(engine.waitingCount))
    write('gauge', 'requests_processing', 'Answers being written (name of llama-server).', one(engine.runningCount))
    write('gauge', 'requests_deferred', 'Answers waiting for a slot (name of llama-server).', one(engine.waitingCount))
    write(
      'gauge',
      'kv_cache_usage_perc',
      'Share of the KV cache in use, 0 to 1.',
      one(cells / (engine.contextTokens * engine.slots)),
    )
    write('gauge', 'kv_cache_tokens', 'Tokens in the KV cache of running answers.', one(cells))
    write('counter', 'prompt_tokens_total', 'Tokens read.', one(this.#promptTokens))
    write(
      'counter',
      'prompt_tokens_cached_total',
      'Of them, taken from the KV cache of earlier prompts.',
      one(this.#cachedTokens),
    )
    write('counter', 'prompt_seconds_total', 'Time of reading prompts.', one(this.#promptSeconds))
    write('counter', 'generation_tokens_total', 'Tokens written.', one(this.#writtenTokens))
    write('counter', 'tokens_predicted_total', 'Tokens written (name of llama-server).', one(this.#writtenTokens))
    write('counter', 'tokens_predicted_seconds_total', 'Time of writing.', one(this.#writeSeconds))
    write(
      'gauge',
      'prompt_tokens_seconds',
      'Tokens read per second, mean since the start.',
      one(this.#promptTokens / this.#promptSeconds),
    )
    write(
      'gauge',
      'predicted_tokens_seconds',
      'Tokens written per second, mean since the start.',
      one(this.#writtenTokens / this.#writeSeconds),
    )
    write('counter', 'n_decode_total', 'Steps: forwards times the answers in them.', one(this.#steps))
    write('counter', 'spec_decode_num_drafts_total', 'Steps that verified a draft.', one(this.#drafts))
    write('counter', 'spec_decode_num_draft_tokens_total', 'Drafted tokens that were verified.', one(this.#draftTokens))
    write(
      'counter',
      'spec_decode_num_accepted_tokens_total',
      'Drafted tokens that were accepted.',
      one(this.#acceptedTokens),
    )
    write(
      'counter',
      'spec_decode_num_accepted_tokens_per_pos_total',
      'Accepted tokens by position in the draft.',
      (name) => Array.from(this.#accepted, (count, position) => `${name}{position="${position}"} ${count}`),
    )
    write('counter', 'request_success_total', 'Answers by how they ended.', (name) =>
      [...this.#finished].map(([reason, count]) => `${name}{finished_reason="${reason}"} ${count}`),
    )
    write(
      'histogram',
      'time_to_first_token_seconds',
      'From the request to its first token.',
      histogram(this.#firstToken),
    )
    write('histogram', 'inter_token_latency_seconds', 'Time per token after the first.', histogram(this.#interToken))
    write('histogram', 'e2e_request_latency_seconds', 'From the request to its end.', histogram(this.#request))
    write('histogram', 'request_queue_time_seconds', 'From the request to its slot.', histogram(this.#queue))
    write('histogram', 'request_prefill_time_seconds', 'Time of reading the prompt.', histogram(this.#prefill))
    write(
      'histogram',
      'effective_decoding_length',
      'Tokens per forward, bonus included.',
      histogram(this.#acceptedLength),
    )
    write(
      'counter',
      'forward_seconds_total',
      'Time of forwards after the prompt, per answer.',
      one(this.#forwardSeconds),
    )
    write('counter', 'retrieval_seconds_total', 'Time of looking up drafts.', one(this.#retrievalSeconds))
    write('gauge', 'forward_milliseconds', 'T(n): what a forward of n tokens takes, as measured at load.', (name) =>
      engine.cost.points.map(({ rows, ms }) => `${name}{tokens="${rows}"} ${ms}`),
    )
    write(
      'gauge',
      'forward_slowdown',
      'How much slower than at load forwards are now; 1: as then.',
      one(engine.cost.slowdown),
    )
    write('gauge', 'threads', 'Threads that compute now; fewer while others take the cores.', one(engine.threads))
    write('histogram', 'draft_nodes', 'Draft tokens verified in a forward, of all answers in it.', histogram(nodes))
    write('gauge', 'draft_trust', 'How far promises of drafts are believed now, 0 to 1.', one(drafting.trust))
    write('gauge', 'draft_resting', '1 while drafting rests because it did not pay.', one(drafting.resting ? 1 : 0))
    write('counter', 'draft_rests_total', 'How often drafting began to rest.', one(drafting.rests))
    write(
      'counter',
      'draft_rested_forwards_total',
      'Forwards without drafts because it rested.',
      one(drafting.restedForwards),
    )
    write(
      'counter',
      'draft_near_ties_total',
      'Tokens left to a forward of one token, since two candidates were nearly tied.',
      one(drafting.nearTies),
    )
    write('gauge', 'corpus_namespaces', 'Namespaces that hold something.', one(namespaces.length))
    write('gauge', 'corpus_documents', 'Documents that drafts may come from.', held('documents'))
    write('gauge', 'corpus_requests', 'Answers that drafts may come from.', held('requests'))
    write('gauge', 'corpus_tokens', 'Tokens of documents and answers.', held('tokens'))
    write('gauge', 'corpus_bytes', 'Memory of documents and answers.', held('bytes'))
    const prompts = engine.describePrompts()
    write('gauge', 'kept_prompt_tokens', 'Tokens of prompts kept aside.', one(prompts?.tokens ?? 0))
    write('gauge', 'kept_prompt_bytes', 'Memory of prompts kept aside.', one(prompts?.bytes ?? 0))
    write('gauge', 'exactness', 'How far texts are the same as without drafts, by the probe at load.', (name) => [
      `${name}{level="${engine.exactness.level}"} 1`,
    ])
    write('gauge', 'process_uptime_seconds', 'Time since the start.', one((performance.now() - startedAt) / 1000))
    // What routers look for: llm-d and the Gateway API's inference extension by vLLM's names, others by llama-server's.
    const alias = (type: 'counter' | 'gauge', name: string, value: number) =>
      lines.push(`# TYPE ${name} ${type}`, `${name} ${value}`)
    alias('gauge', 'vllm:num_requests_running', engine.runningCount)
    alias('gauge', 'vllm:num_requests_waiting', engine.waitingCount)
    alias('gauge', 'vllm:kv_cache_usage_perc', cells / (engine.contextTokens * engine.slots))
    alias('counter', 'vllm:prefix_cache_queries_total', this.#promptTokens)
    alias('counter', 'vllm:prefix_cache_hits_total', this.#cachedTokens)
    alias('gauge', 'llamacpp:requests_processing', engine.runningCount)
    alias('gauge', 'llamacpp:requests_deferred', engine.waitingCount)
    return `${lines.join('\n')}\n`
  }
}

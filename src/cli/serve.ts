// `lookahead serve`: the server on a port.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import path from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { type Command, InvalidArgumentError } from 'commander'
import { Embedder } from '../engine/embedder.js'
import { Engine } from '../engine/engine.js'
import type { Fleet } from '../fleet/fleet.js'
import { type App, createApp, type ReadingModel, type RequestEntry, requestLine } from '../server/index.js'
import { choice, contextSize, gather, integer } from './arguments.js'
import {
  addDecodingOptions,
  configurationOf,
  type DecodingOptions,
  draftModelOption,
  noteContext,
} from './decoding-options.js'
import { devicesOf, placementLines } from './devices.js'
import { describeFailure, exitCodes, UsageError } from './failure.js'
import {
  addModelSource,
  fetchNamed,
  type ModelSourceOptions,
  modelFile,
  modelLabel,
  modelName,
} from './model-source.js'
import { addSamplingOptions, type SamplingOptions, samplingFieldsOf } from './sampling-options.js'
import { addSharing, type SharingOptions, SharingPlan } from './sharing.js'
import { processTerminal, type Terminal } from './terminal.js'
import { readTextFile } from './text-file.js'
import { describeStage, WaitingLine } from './waiting.js'

interface ServeOptions extends DecodingOptions, ModelSourceOptions, SharingOptions, SamplingOptions {
  modelDraft?: string
  chatTemplate?: string
  chatTemplateFile?: string
  alias?: string
  host: string
  port: number
  parallel: number
  queue: number
  ctxSize?: number
  apiKey?: string[]
  namespaceKey?: string[]
  apiKeyFile?: string[]
  namespaceKeyFile?: string[]
  allowedHost?: string[]
  corsOrigin?: string[]
  cache?: string
  cacheSize: number
  cacheTtl?: number
  cacheRam?: number
  cachePrompts?: number
  maxPause?: number
  commonNamespace?: string
  anyModel?: boolean
  embeddingModel?: string
  rerankModel?: string
  embeddings?: boolean
  reranking?: boolean
  readerAlias?: string
  tags?: string
  slots: boolean
  ui: boolean
  reasoningFormat?: 'none' | 'auto' | 'deepseek' | 'deepseek-legacy'
  reasoningBudget?: number
  chatTemplateKwargs?: Record<string, unknown>
  apiPrefix?: string
  sslKeyFile?: string
  sslCertFile?: string
  log: LogLevel
  verbose?: boolean
}

type LogLevel = 'off' | 'info' | 'debug' | 'json'

/** Adds `lookahead serve`. */
export function registerServe(program: Command): void {
  const command = addDecodingOptions(
    addModelSource(
      program
        .command('serve')
        .summary('an OpenAI-compatible server')
        .description(
          'Serves the APIs of OpenAI, Anthropic and llama-server, and a page to watch it work.\nCtrl-C lets running answers finish for a few seconds; a second one ends at once.',
        ),
    )
      .option('-a, --alias <names>', 'names of the model in the API, with commas (default: the file’s name)')
      .option('--any-model', 'take requests for any model, whatever they call it')
      .option('--embedding-model <model>', 'another model, for /v1/embeddings')
      .option('--rerank-model <model>', 'another model, for /v1/rerank')
      .option('--embeddings', '--model is for /v1/embeddings; the embedded model writes')
      .option('--reranking', '--model is for /v1/rerank; the embedded model writes')
      .option('--tags <tags>', 'tags of the model in /v1/models, with commas')
      .option(
        '--host <addresses>',
        'addresses to listen on, with commas; a path ending in .sock: a Unix socket',
        '127.0.0.1',
      )
      .option('--port <n>', 'port to listen on, 0: any free one', integer(0, 65_535), 8080)
      .option('--parallel <n>', 'answers written at the same time', integer(1, 64), 4)
      .option('--queue <n>', 'answers that may wait beyond those; then 429', integer(0, 100_000), 32)
      .option(
        '-c, --ctx-size <n>',
        'most tokens of one request (default: the model’s, at most 4096; 0: all of it)',
        contextSize,
      ),
  )
    .addOption(draftModelOption())
    .option('--api-key <key>', 'demand this key (or $LOOKAHEAD_API_KEY); may be given several times', gather)
    .option(
      '--api-key-file <file>',
      'demand one of the keys in this file, a line each; other users see no file in ps',
      gather,
    )
    .option('--namespace-key <name=key>', 'a key whose requests belong to this namespace; as often as needed', gather)
    .option('--namespace-key-file <file>', 'the same from a file, a line each', gather)
    .option(
      '--allowed-host <name>',
      'without a key: a name the server may be called by, *: any; may be given several times',
      gather,
    )
    .option(
      '--cache-ram <MiB>',
      'memory for prompts kept aside, 0: none (default: a quarter of the memory, at most 8192)',
      integer(0),
    )
    .option(
      '--max-pause <ms>',
      'how long answers may stand still while a part of another prompt is read (default: 500)',
      integer(1, 2 ** 31 - 1),
    )
    .option('--cache <folder>', 'keep what is read and written here, to draft from after a restart')
    .option(
      '--cache-prompts <MiB>',
      'files there for prompts that come again, as the model has read them (default: none)',
      integer(1),
    )
    .option('--cache-size <MiB>', 'memory for what is remembered, the oldest goes first', integer(1), 256)
    .option('--cache-ttl <seconds>', 'forget what is older (default: never)', integer(1))
    .option('--common-namespace <name>', 'namespace that all requests may draft from (default: none)')
    .option(
      '--cors-origin <origin>',
      'let pages of this origin call from a browser, *: all; may be given several times',
      gather,
    )
  command
    .option(
      '--chat-template <text>',
      'Jinja chat template to use instead of the model’s; or the path of a file with it',
    )
    .option('--chat-template-file <file>', 'file with the chat template')
    .option('--no-slots', 'answer /slots with 501: it shows what every request does')
    .option('--no-ui', 'serve no page')
    .option('--api-prefix <path>', 'path under which all routes stand, e.g. /llm (default: none)')
    .option('--ssl-key-file <file>', 'key for TLS, PEM; with --ssl-cert-file')
    .option('--ssl-cert-file <file>', 'certificate for TLS, PEM; with --ssl-key-file')
    .option(
      '--log <level>',
      'a line per request: off, info, debug or json',
      choice('off', 'info', 'debug', 'json'),
      'info',
    )
    .option('-v, --verbose', 'the same as --log debug')
  addSharing(command)
  addSamplingOptions(command.optionsGroup('What requests get that do not say it themselves:'))
    .option(
      '--reasoning-format <form>',
      'thoughts apart from what is said: auto, or none (default: auto)',
      choice('none', 'auto', 'deepseek', 'deepseek-legacy'),
    )
    .option('--reasoning-budget <n>', 'most tokens of thinking, 0: none, -1: no bound', integer(-1))
    .option('--chat-template-kwargs <json>', 'variables for the chat template, a JSON object', jsonObject)
  command.action(async (options: ServeOptions) => {
    process.exitCode = await serve(options, processTerminal())
  })
}

async function serve(given: ServeOptions, terminal: Terminal): Promise<number> {
  const options = readersApart(given)
  const file = await modelFile(options, terminal)
  const openKeys = [...(options.apiKey ?? (process.env.LOOKAHEAD_API_KEY ? [process.env.LOOKAHEAD_API_KEY] : []))]
  if (openKeys.includes('')) throw new UsageError('the API key is empty; give at least one character')
  for (const file of options.apiKeyFile ?? []) openKeys.push(...(await readKeys(file)))
  const namespaceKeys = [...(options.namespaceKey ?? [])]
  for (const file of options.namespaceKeyFile ?? []) namespaceKeys.push(...(await readKeys(file)))
  const apiKeys = [...openKeys, ...namespaceKeys.map(readNamespaceKey)]
  const names = options.alias?.split(',').map((name) => name.trim()) ?? [modelLabel(options, file)]
  if (options.cachePrompts !== undefined && options.cache === undefined)
    throw new UsageError('--cache-prompts needs --cache: prompts are kept in its folder')
  if (names.includes('')) throw new UsageError('the alias is empty; give at least one character')
  const [model, ...aliases] = names
  const prefix = readPrefix(options.apiPrefix)
  const secure = readTls(options)
  const hosts = options.host.split(',').map((host) => host.trim())
  if (hosts.includes('')) throw new UsageError('the host is empty; give an address')
  const plan = await SharingPlan.make(options)
  const stopping = waitForSignal()
  let isLoaded = false
  // What has not begun has nothing to finish.
  stopping.then((signal) => {
    if (!isLoaded) process.exit(signal === 'SIGINT' ? exitCodes.interrupted : 0)
  })

  // The port comes first: if it is taken, nobody should have to wait for the model to learn it.
  let begin!: (engine: Engine) => void
  let giveUp!: (error: unknown) => void
  const loading = new Promise<Engine>((resolve, reject) => {
    begin = resolve
    giveUp = reject
  })
  let joined!: (fleet: Fleet) => void
  const fleet = new Promise<Fleet>((resolve) => {
    joined = resolve
  })
  const readers = new Readers()
  const app = createApp(loading, {
    fleet,
    model,
    aliases,
    tags: options.tags?.split(',').map((tag) => tag.trim()),
    anyModel: options.anyModel,
    defaults: {
      ...samplingFieldsOf(options),
      reasoning_format: options.reasoningFormat,
      reasoning_budget: options.reasoningBudget,
      chat_template_kwargs: options.chatTemplateKwargs,
    },
    hides: [...(options.slots ? [] : (['slots'] as const)), ...(options.ui ? [] : (['page'] as const))],
    embedding: await readers.begin(options.embeddingModel, options, terminal),
    rerank: await readers.begin(options.rerankModel, options, terminal),
    prefix,
    apiKeys,
    corsOrigins: options.corsOrigin,
    allowedHosts: [...hosts, ...(options.allowedHost ?? [])],
    queue: options.queue,
    onRequest: logOf(options.verbose ? 'debug' : options.log, terminal),
  })
  const doors: Door[] = []
  const close = async () => void (await Promise.all(doors.map((door) => door.close())))
  try {
    for (const host of hosts) doors.push(await listen(app, host, options.port, secure))
  } catch (error) {
    await close()
    throw error
  }
  const url = doors.map((door) => `${door.url}${prefix ?? ''}`).join(', ')
  const open = hosts.filter((host) => !isLoopback(host))
  if (apiKeys.length === 0 && open.length > 0)
    terminal.err(`lookahead: warning: ${open.join(', ')} can be reached by others and there is no --api-key\n`)
  const waiting = new WaitingLine(terminal, model)
  const isVerbose = options.verbose || options.log === 'debug'
  if (!terminal.watched || isVerbose) terminal.err(`loading ${path.basename(file)} …\n`)
  let engine: Engine | undefined
  let sharing: Fleet | undefined
  try {
    engine = await Engine.load({
      model: file,
      slots: options.parallel,
      contextTokens: options.ctxSize,
      ...configurationOf(options),
      ...devicesOf(options),
      draftModel: options.modelDraft,
      chatTemplate: await chatTemplateOf(options),
      promptCacheBytes: options.cacheRam === undefined ? undefined : options.cacheRam * 2 ** 20,
      promptDiskBytes: options.cachePrompts === undefined ? undefined : options.cachePrompts * 2 ** 20,
      maxPauseMs: options.maxPause,
      onProgress: (progress) => {
        if (!isVerbose) waiting.onProgress(progress)
        else if (!progress.share) terminal.err(`${describeStage(progress)} …\n`)
      },
      cache: options.cache,
      corpus: {
        totalBytes: options.cacheSize * 2 ** 20,
        namespaceBytes: (options.cacheSize * 2 ** 20) / 4,
        ttlMs: options.cacheTtl === undefined ? undefined : options.cacheTtl * 1000,
        common: options.commonNamespace,
      },
    }).finally(() => waiting.end())
    noteContext(options.ctxSize, engine, terminal)
    if (plan) {
      sharing = await plan.join(engine, terminal)
      joined(sharing)
      await plan.catchUp(sharing, terminal)
    }
    await readers.loaded()
  } catch (error) {
    giveUp(error)
    await sharing?.[Symbol.asyncDispose]()
    await engine?.[Symbol.asyncDispose]()
    await readers.close()
    await close()
    throw error
  }
  isLoaded = true
  begin(engine)
  const { name } = engine.description
  const slots = engine.slots === 1 ? '1 slot' : `${engine.slots} slots`
  terminal.err(
    `${model} (${name}), ${slots} of ${engine.contextTokens} tokens, ${engine.exactness.level}-exact: ${url}\n`,
  )
  for (const line of placementLines(engine.placement)) terminal.err(`  ${line}\n`)

  const signal = await stopping
  terminal.err(`stopping; ${app.inFlight} answers are being written\n`)
  if (signal === 'SIGTERM') {
    app.drain()
    await new Promise((resolve) => setTimeout(resolve, options.drain * 1000))
  }
  // What fails on the way, a full disk for one, must not keep the rest from ending.
  let failed = false
  for (const end of [
    () => app.stop(options.stopTimeout * 1000),
    () => sharing?.[Symbol.asyncDispose](),
    () => engine[Symbol.asyncDispose](),
    () => readers.close(),
    close,
  ])
    try {
      await end()
    } catch (error) {
      failed = true
      terminal.err(`lookahead: ${describeFailure(error).sentence}\n`)
    }
  return failed ? exitCodes.failure : signal === 'SIGINT' ? exitCodes.interrupted : 0
}

/** The lines of a file of keys; empty ones and those that begin with # say nothing. */
async function readKeys(file: string): Promise<string[]> {
  const lines = (await readTextFile(file, `the keys in ${file}`)).split(/\r?\n/).map((line) => line.trim())
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) throw new UsageError(`${file} holds no key; expected one on each line`)
  return keys
}

/** Models that read, loaded beside the first. */
class Readers {
  readonly #loading: Promise<Embedder>[] = []

  /** Begins to load a model, if one is named. */
  async begin(name: string | undefined, options: ServeOptions, terminal: Terminal): Promise<ReadingModel | undefined> {
    if (name === undefined) return undefined
    const file = await fetchNamed(name, options, terminal)
    const embedder = Embedder.load({ model: file, threads: options.threads, ...devicesOf(options) })
    embedder.catch(() => {})
    this.#loading.push(embedder)
    return { name: options.readerAlias ?? path.basename(file, path.extname(file)), embedder }
  }

  /** Waits until all are there. @throws as Embedder.load */
  async loaded(): Promise<void> {
    await Promise.all(this.#loading)
  }

  async close(): Promise<void> {
    for (const outcome of await Promise.allSettled(this.#loading))
      if (outcome.status === 'fulfilled') await outcome.value.close()
  }
}

/** What is done with each request that was answered. */
function logOf(level: LogLevel, terminal: Terminal): ((entry: RequestEntry) => void) | undefined {
  switch (level) {
    case 'off':
      return undefined
    case 'json':
      return (entry) => terminal.err(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`)
    case 'debug':
      return (entry) => terminal.err(`${new Date().toISOString()} ${requestLine(entry)}\n`)
    default:
      // The page and dashboards ask several times a second.
      return (entry) => {
        if (entry.method !== 'GET' || entry.status >= 400) terminal.err(`${requestLine(entry)}\n`)
      }
  }
}

function readPrefix(prefix: string | undefined): string | undefined {
  if (prefix === undefined || prefix === '' || prefix === '/') return undefined
  if (/^(?:\/[\w.~-]+)+\/?$/.test(prefix)) return prefix.replace(/\/$/, '')
  throw new UsageError(`--api-prefix expects a path such as /llm, got '${prefix}'`)
}

/** Key and certificate, if TLS is wished. @throws UsageError where one is missing or cannot be read */
function readTls({ sslKeyFile, sslCertFile }: ServeOptions): { key: Buffer; cert: Buffer } | undefined {
  if (sslKeyFile === undefined && sslCertFile === undefined) return undefined
  if (sslKeyFile === undefined || sslCertFile === undefined)
    throw new UsageError('--ssl-key-file and --ssl-cert-file belong together; give both')
  const read = (file: string, option: string) => {
    try {
      return readFileSync(file)
    } catch (error) {
      throw new UsageError(`${option}: cannot read ${file} (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return { key: read(sslKeyFile, '--ssl-key-file'), cert: read(sslCertFile, '--ssl-cert-file') }
}

/** Reads `name=key`; the key may hold further signs. */
function readNamespaceKey(text: string): { namespace: string; key: string } {
  const [, namespace, key] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (namespace === undefined) throw new UsageError("--namespace-key expects a name and a key, as in 'acme=secret'")
  return { namespace, key }
}

/** Where requests come in. */
interface Door {
  url: string
  close(): Promise<void>
}

/** `--embeddings` and `--reranking`, as llama-server has them, in the words of the options they stand for. */
function readersApart(options: ServeOptions): ServeOptions {
  const { embeddings, reranking } = options
  if (!embeddings && !reranking) return options
  const name = embeddings ? '--embeddings' : '--reranking'
  if (embeddings && reranking)
    throw new UsageError(
      '--embeddings and --reranking: --model can be one of the two; name the other by --rerank-model',
    )
  if (options.model === undefined && options.hfRepo === undefined)
    throw new UsageError(`${name} says what --model is for, which is missing`)
  const model = modelName(options)
  return {
    ...options,
    ...(embeddings ? { embeddingModel: model } : { rerankModel: model }),
    model: undefined,
    hfRepo: undefined,
    hfFile: undefined,
    alias: undefined,
    readerAlias: options.alias?.split(',')[0].trim(),
  }
}

/** Reads an object of JSON. */
function jsonObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('expected a JSON object')
  return value as Record<string, unknown>
}

/** Opens the port, or a Unix socket. @throws UsageError if it is taken or the address is none of this machine's */
async function listen(
  app: App,
  host: string,
  port: number,
  secure: { key: Buffer; cert: Buffer } | undefined,
): Promise<Door> {
  const answer = getRequestListener(app.fetch)
  let server: ReturnType<typeof createServer>
  try {
    server = secure ? createSecureServer(secure, answer) : createServer(answer)
  } catch (error) {
    throw new UsageError(`--ssl-key-file and --ssl-cert-file are no key and certificate: ${(error as Error).message}`)
  }
  const isSocket = host.endsWith('.sock')
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(describeListenFailure(error, host, port)))
    if (isSocket) server.listen(host, resolve)
    else server.listen(port, host, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' && address ? address.port : port
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  if (isSocket) return { url: `unix:${host}`, close }
  const scheme = secure ? 'https' : 'http'
  return { url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${actual}`, close }
}

function describeListenFailure(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      if (host.endsWith('.sock'))
        return new UsageError(`${host} is in use, or left behind; remove it or choose another`)
      return new UsageError(`port ${port} on ${host} is in use; choose another with --port (0: any free one)`)
    case 'EACCES':
      return new UsageError(`port ${port} needs more rights than this user has; choose one above 1023 with --port`)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UsageError(`${host} is not an address of this machine; choose another with --host`)
    default:
      return error
  }
}

/** Resolves with the first signal to stop; a second one ends the process at once. */
function waitForSignal(): Promise<'SIGINT' | 'SIGTERM' | 'SIGHUP'> {
  return new Promise((resolve) => {
    let first = true
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => {
        if (!first) process.exit(exitCodes.interrupted)
        first = false
        resolve(name)
      })
  })
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.') || host.endsWith('.sock')
}

/** The chat template that was given: as text where it holds Jinja, else the file of that name. */
async function chatTemplateOf({ chatTemplate, chatTemplateFile }: ServeOptions): Promise<string | undefined> {
  if (chatTemplateFile !== undefined) return readTextFile(chatTemplateFile, `the chat template ${chatTemplateFile}`)
  if (chatTemplate === undefined || /\{[{%#]/.test(chatTemplate)) return chatTemplate
  return readTextFile(chatTemplate, `the chat template ${chatTemplate}`)
}

import { createServer } from 'node:http'
import path from 'node:path'
import { getRequestListener } from '@hono/node-server'
import type { Command } from 'commander'
import { Engine } from '../engine/engine.js'
import type { Fleet } from '../fleet/fleet.js'
import { type App, createApp } from '../server/index.js'
import { contextSize, gather, integer } from './arguments.js'
import { addDecodingOptions, configurationOf, type DecodingOptions, draftModelOption } from './decoding-options.js'
import { exitCodes, UsageError } from './failure.js'
import { addModelSource, type ModelSourceOptions, modelFile, modelLabel } from './model-source.js'
import { addSharing, type SharingOptions, SharingPlan } from './sharing.js'
import { processTerminal, type Terminal } from './terminal.js'

interface ServeOptions extends DecodingOptions, ModelSourceOptions, SharingOptions {
  modelDraft?: string
  alias?: string
  host: string
  port: number
  parallel: number
  queue: number
  ctxSize?: number
  apiKey?: string[]
  namespaceKey?: string[]
  corsOrigin?: string[]
  cache?: string
  cacheSize: number
  cacheTtl?: number
  cacheRam?: number
  maxPause?: number
  commonNamespace?: string
}

/** Adds `lookahead serve`. */
export function registerServe(program: Command): void {
  const command = addDecodingOptions(
    addModelSource(
      program
        .command('serve')
        .summary('an OpenAI-compatible server')
        .description(
          'Serves the OpenAI API (/v1/chat/completions, /v1/completions, /v1/responses) and a page to watch it work.\nCtrl-C lets running answers finish for a few seconds; a second one ends at once.',
        ),
    )
      .option('-a, --alias <name>', 'name of the model in the API (default: the file’s name)')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
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
    .option('--namespace-key <name=key>', 'a key whose requests belong to this namespace; as often as needed', gather)
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
    .option('--cache-size <MiB>', 'memory for what is remembered, the oldest goes first', integer(1), 256)
    .option('--cache-ttl <seconds>', 'forget what is older (default: never)', integer(1))
    .option('--common-namespace <name>', 'namespace that all requests may draft from (default: none)')
    .option(
      '--cors-origin <origin>',
      'let pages of this origin call from a browser, *: all; may be given several times',
      gather,
    )
  addSharing(command).action(async (options: ServeOptions) => {
    process.exitCode = await serve(options, processTerminal())
  })
}

async function serve(options: ServeOptions, terminal: Terminal): Promise<number> {
  const file = await modelFile(options, terminal)
  const openKeys = options.apiKey ?? (process.env.LOOKAHEAD_API_KEY ? [process.env.LOOKAHEAD_API_KEY] : [])
  if (openKeys.includes('')) throw new UsageError('the API key is empty; give at least one character')
  const apiKeys = [...openKeys, ...(options.namespaceKey ?? []).map(readNamespaceKey)]
  if (options.alias === '') throw new UsageError('the alias is empty; give at least one character')
  const model = options.alias ?? modelLabel(options, file)
  const plan = await SharingPlan.make(options)
  const stopping = waitForSignal()

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
  const app = createApp(loading, { fleet, model, apiKeys, corsOrigins: options.corsOrigin, queue: options.queue })
  const { url, close } = await listen(app, options.host, options.port)
  if (apiKeys.length === 0 && !isLoopback(options.host))
    terminal.err(`lookahead: warning: ${options.host} can be reached by others and there is no --api-key\n`)
  terminal.err(`loading ${path.basename(file)} …\n`)
  let engine: Engine | undefined
  let sharing: Fleet | undefined
  try {
    engine = await Engine.load({
      model: file,
      slots: options.parallel,
      contextTokens: options.ctxSize,
      ...configurationOf(options),
      draftModel: options.modelDraft,
      promptCacheBytes: options.cacheRam === undefined ? undefined : options.cacheRam * 2 ** 20,
      maxPauseMs: options.maxPause,
      cache: options.cache,
      corpus: {
        totalBytes: options.cacheSize * 2 ** 20,
        namespaceBytes: (options.cacheSize * 2 ** 20) / 4,
        ttlMs: options.cacheTtl === undefined ? undefined : options.cacheTtl * 1000,
        common: options.commonNamespace,
      },
    })
    if (plan) {
      sharing = await plan.join(engine, terminal)
      joined(sharing)
      await plan.catchUp(sharing, terminal)
    }
  } catch (error) {
    giveUp(error)
    await sharing?.[Symbol.asyncDispose]()
    await engine?.[Symbol.asyncDispose]()
    await close()
    throw error
  }
  begin(engine)
  const { name } = engine.description
  const slots = engine.slots === 1 ? '1 slot' : `${engine.slots} slots`
  terminal.err(
    `${model} (${name}), ${slots} of ${engine.contextTokens} tokens, ${engine.exactness.level}-exact: ${url}\n`,
  )

  const signal = await stopping
  terminal.err(`stopping; ${app.inFlight} answers are being written\n`)
  if (signal === 'SIGTERM') {
    app.drain()
    await new Promise((resolve) => setTimeout(resolve, options.drain * 1000))
  }
  await app.stop(options.stopTimeout * 1000)
  await sharing?.[Symbol.asyncDispose]()
  await engine[Symbol.asyncDispose]()
  await close()
  return signal === 'SIGINT' ? exitCodes.interrupted : 0
}

/** Reads `name=key`; the key may hold further signs. */
function readNamespaceKey(text: string): { namespace: string; key: string } {
  const [, namespace, key] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (namespace === undefined) throw new UsageError("--namespace-key expects a name and a key, as in 'acme=secret'")
  return { namespace, key }
}

/** Opens the port. @throws UsageError if it is taken or the address is none of this machine's */
async function listen(app: App, host: string, port: number): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(getRequestListener(app.fetch))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explainListen(error, host, port)))
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' && address ? address.port : port
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`, close }
}

function explainListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  switch (error.code) {
    case 'EADDRINUSE':
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
function waitForSignal(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    let first = true
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.on(name, () => {
        if (!first) process.exit(exitCodes.interrupted)
        first = false
        resolve(name)
      })
  })
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

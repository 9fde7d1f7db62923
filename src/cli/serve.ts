// `lookahead serve`: the life of a server, from loading to stopping.

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import { namedTemplate, templateNames } from '../chat/named-templates.js'
import { describeSystemError } from '../corpus/durable/system-error.js'
import { Engine } from '../engine/engine.js'
import type { Fleet } from '../fleet/fleet.js'
import { keepHeapLean } from '../llama/heap.js'
import { endProcess } from '../llama/native.js'
import { createApp } from '../server/index.js'
import { engineOptionsOf, noteContext } from './decoding-options.js'
import { placementLines } from './devices.js'
import { describeFailure, exitCodes, UsageError } from './failure.js'
import { keysOf } from './keys.js'
import { closeDoors, hostsOf, isLoopback, openDoors, readTls } from './listening.js'
import { modelFile, modelLabel } from './model-source.js'
import { Readers, readersApart } from './readers.js'
import { logOf } from './request-lines.js'
import { samplingFieldsOf } from './sampling-options.js'
import { addServeOptions, type ServeOptions } from './serve-options.js'
import { SharingPlan } from './sharing.js'
import { processTerminal, type Terminal } from './terminal.js'
import { readTextFile } from './text-file.js'
import { describeStage, WaitingLine } from './waiting.js'

/** Adds `lookahead serve`. */
export function registerServe(program: Command): void {
  const command = program
    .command('serve')
    .summary('an OpenAI-compatible server')
    .description(
      'Serves the APIs of OpenAI, Anthropic and llama-server, and a page to watch it work.\nCtrl-C lets running answers finish for a few seconds; a second one ends at once.',
    )
  addServeOptions(command)
  command.action(async (options: ServeOptions) => {
    keepHeapLean()
    process.exitCode = await serve(options, processTerminal())
  })
}

async function serve(given: ServeOptions, terminal: Terminal): Promise<number> {
  const options = readersApart(given)
  const file = await modelFile(options, terminal)
  const apiKeys = await keysOf(options)
  const names = options.alias?.split(',').map((name) => name.trim()) ?? [modelLabel(options, file)]
  if (options.cachePrompts !== undefined && options.cache === undefined)
    throw new UsageError('--cache-prompts needs --cache: prompts are kept in its folder')
  if (names.includes('')) throw new UsageError('the alias is empty; give at least one character')
  const [model, ...aliases] = names
  const prefix = readPrefix(options.apiPrefix)
  const secure = await readTls(options)
  const hosts = hostsOf(options.host)
  const chatTemplate = await chatTemplateOf(options)
  const plan = await SharingPlan.make(options)
  const stopping = waitForSignal()
  let isLoaded = false
  // What has not begun has nothing to finish.
  stopping.then((signal) => {
    if (!isLoaded) endProcess(signal === 'SIGINT' ? exitCodes.interrupted : 0)
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
      enable_thinking:
        options.reasoning === undefined || options.reasoning === 'auto' ? undefined : options.reasoning === 'on',
      reasoning_effort: options.reasoningEffort,
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
    slotSavePath: await folderOf(options.slotSavePath),
    onRequest: logOf(options.verbose ? 'debug' : options.log, terminal),
  })
  const doors = await openDoors(app, hosts, options.port, secure)
  const url = doors.map((door) => `${door.url}${prefix ?? ''}`).join(', ')
  const open = hosts.filter((host) => !isLoopback(host))
  if (apiKeys.length === 0 && open.length > 0)
    terminal.err(`lookahead: warning: ${open.join(', ')} can be reached by others and there is no --api-key\n`)
  const waiting = new WaitingLine(terminal, model)
  const isVerbose = options.verbose || options.log === 'debug'
  if (!terminal.watched || isVerbose) terminal.err(`loading ${path.basename(file)} …\n`)
  let engine: Engine | undefined
  let sharing: Fleet | undefined
  /** Ends one after the other. What fails on the way, a full disk for one, must not keep the rest from ending. */
  const end = async (...parts: (() => PromiseLike<void> | undefined)[]): Promise<boolean> => {
    let isWell = true
    for (const part of parts)
      try {
        await part()
      } catch (error) {
        isWell = false
        terminal.err(`lookahead: ${describeFailure(error).sentence}\n`)
      }
    return isWell
  }
  try {
    engine = await Engine.load({
      model: file,
      slots: options.parallel,
      ...engineOptionsOf(options),
      chatTemplate,
      promptCacheBytes: options.cacheRam === undefined ? undefined : options.cacheRam * 2 ** 20,
      promptDiskBytes: options.cachePrompts === undefined ? undefined : options.cachePrompts * 2 ** 20,
      maxPauseMs: options.maxPause,
      onProgress: (progress) => {
        if (!isVerbose) waiting.onProgress(progress)
        else if (!progress.share) terminal.err(`${describeStage(progress)} …\n`)
      },
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
    await end(
      () => sharing?.[Symbol.asyncDispose](),
      () => engine?.[Symbol.asyncDispose](),
      () => readers.close(),
      () => closeDoors(doors),
    )
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
  const isWell = await end(
    () => app.stop(options.stopTimeout * 1000),
    () => sharing?.[Symbol.asyncDispose](),
    () => engine[Symbol.asyncDispose](),
    () => readers.close(),
    () => closeDoors(doors),
  )
  return !isWell ? exitCodes.failure : signal === 'SIGINT' ? exitCodes.interrupted : 0
}

function readPrefix(prefix: string | undefined): string | undefined {
  if (prefix === undefined || prefix === '' || prefix === '/') return undefined
  if (/^(?:\/[\w.~-]+)+\/?$/.test(prefix)) return prefix.replace(/\/$/, '')
  throw new UsageError(`--api-prefix expects a path such as /llm, got '${prefix}'`)
}

/** The folder for saved prompts, made if need be; readable by its user only. */
async function folderOf(folder: string | undefined): Promise<string | undefined> {
  if (folder === undefined) return undefined
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return path.resolve(folder)
  } catch (error) {
    throw new UsageError(`--slot-save-path: ${folder} cannot be made a folder: ${describeSystemError(error)}`)
  }
}

/** Resolves with the first signal to stop; a second one ends the process at once. */
function waitForSignal(): Promise<'SIGINT' | 'SIGTERM' | 'SIGHUP'> {
  return new Promise((resolve) => {
    let first = true
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => {
        if (!first) endProcess(exitCodes.interrupted)
        first = false
        resolve(name)
      })
  })
}

/** The chat template that was given: as text where it holds Jinja, by llama.cpp's name, else the file of that name. */
async function chatTemplateOf({ chatTemplate, chatTemplateFile }: ServeOptions): Promise<string | undefined> {
  if (chatTemplateFile === undefined) {
    if (chatTemplate === undefined || /\{[{%#]/.test(chatTemplate)) return chatTemplate
    const known = namedTemplate(chatTemplate)
    if (known !== undefined) return known
    if (/^[\w.-]+$/.test(chatTemplate) && !existsSync(chatTemplate))
      throw new UsageError(
        `--chat-template: ${chatTemplate} is no file, no Jinja, and none of the names ${templateNames.join(', ')}`,
      )
  }
  const file = chatTemplateFile ?? (chatTemplate as string)
  const template = await readTextFile(file, `the chat template ${file}`)
  if (template.trim() === '') throw new UsageError(`the chat template ${file} is empty`)
  return template
}

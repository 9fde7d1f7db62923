/**
 * The OpenAI-compatible server as a function from `Request` to `Response`.
 *
 * @example
 * import { Engine } from 'lookahead-llm'
 * import { createApp } from 'lookahead-llm/server'
 *
 * const app = createApp(await Engine.load({ model: 'model.gguf' }))
 * const response = await app.fetch(new Request('http://local/v1/models'))
 *
 * @module
 */

export { type JsonSchema, jsonSchemaToGrammar } from '../grammar/json-schema.js'
export type { NamespaceKey } from './access.js'
export { type App, createApp } from './app.js'
export type { RequestDefaults } from './defaults.js'
export { ApiError, type ErrorBody, type ErrorType } from './errors.js'
export { type RequestEntry, requestLine } from './request-log.js'
export type { ReadingModel } from './served-reader.js'
export type { ServerOptions } from './service.js'
export type { Timings, Usage } from './usage.js'

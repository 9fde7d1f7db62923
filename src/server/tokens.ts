import { z } from 'zod'
import { readBody } from './body.js'
import { documents, messages, requestDocuments, templateMessages } from './messages.js'
import type { Service } from './service.js'
import { tools } from './tools.js'

const tokenizeBody = z.strictObject({
  content: z.string(),
  add_special: z.boolean().nullish(),
  parse_special: z.boolean().nullish(),
  with_pieces: z.boolean().nullish(),
})

const templateBody = z.strictObject({
  messages,
  documents: documents.nullish(),
  tools: tools.nullish(),
})

/** `POST /tokenize`: `{ content }` → `{ tokens }`. */
export async function tokenize(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const body = await readBody(request, tokenizeBody, service.maxBodyBytes)
  const ids = engine.tokenize(body.content, {
    addSpecial: body.add_special ?? false,
    special: body.parse_special ?? true,
  })
  const tokens = body.with_pieces ? Array.from(ids, (id) => ({ id, piece: engine.detokenize([id]) })) : Array.from(ids)
  return Response.json({ tokens })
}

/** `POST /detokenize`: `{ tokens }` → `{ content }`. */
export async function detokenize(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const id = z
    .number()
    .int()
    .min(0)
    .max(engine.vocabularySize - 1)
  const { tokens } = await readBody(request, z.strictObject({ tokens: z.array(id) }), service.maxBodyBytes)
  return Response.json({ content: engine.detokenize(tokens) })
}

/** `POST /apply-template`: `{ messages }` → `{ prompt }`. */
export async function applyTemplate(service: Service, request: Request): Promise<Response> {
  const { engine } = service
  const body = await readBody(request, templateBody, service.maxBodyBytes)
  const prompt = engine.renderChat({
    messages: templateMessages(engine, body.messages),
    documents: requestDocuments(body.documents),
    tools: body.tools ?? undefined,
  })
  return Response.json({ prompt })
}

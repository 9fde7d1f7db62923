/**
 * Bodies that are small to send and dear to read: each once held up every other client, or ended the process.
 */
export const hostile: Readonly<Record<string, () => [route: string, body: string]>> = {
  'line feeds to be split': () => ['/tokenize', JSON.stringify({ content: '\n'.repeat(2 ** 17) })],
  'a long run of letters': () => ['/tokenize', JSON.stringify({ content: 'a'.repeat(2 ** 20) })],
  'emoji as a prompt': () => ['/v1/completions', JSON.stringify({ prompt: '😀'.repeat(2 ** 18), max_tokens: 1 })],
  'markers as a message': () => chat({ messages: [{ role: 'user', content: '<|end|>'.repeat(30_000) }] }),
  'a prediction of megabytes, for many answers': () =>
    chat({ n: 8, prediction: { type: 'content', content: 'The annual fee is due. '.repeat(340_000) } }),
  'documents of megabytes': () =>
    chat({
      documents: Array.from({ length: 7 }, (_, i) => `${i} ${'the fee is due. '.repeat(64_000)}`),
      max_tokens: 1,
    }),
  'a grammar of a few bytes': () =>
    chat({ grammar: 'root ::= x x x x x x x x\nx ::= [a-zA-Z ] x | [a-zA-Z ] x x | ""', max_tokens: 64 }),
  'a grammar as long as may be': () =>
    chat({ grammar: `root ::= ${Array.from({ length: 40_000 }, (_, i) => `"a${i}"`).join(' | ')}` }),
  'a prompt of two million texts': () => ['/v1/completions', `{"prompt":["",${'"",'.repeat(2_600_000)}1]}`],
  'a text of four million numbers': () => ['/tokenize', `{"content":[1${',1'.repeat(4_000_000)}]}`],
  'texts where token ids belong': () => ['/detokenize', `{"tokens":["a"${',"a"'.repeat(1_900_000)}]}`],
  'token ids by the hundred thousand': () => ['/detokenize', `{"tokens":[1${',1'.repeat(500_000)}]}`],
  'a schema with many required names': () =>
    chat(
      schema({
        type: 'object',
        properties: Object.fromEntries(Array.from({ length: 3900 }, (_, i) => [`p${i}`, {}])),
        required: Array.from({ length: 4000 }, (_, i) => `p${i}`),
      }),
    ),
  'a schema with an enum of thousands': () =>
    chat(schema({ enum: Array.from({ length: 4000 }, (_, i) => `value ${i * 7919}`) })),
  'a pattern that grows by doubling': () => chat(schema({ type: 'string', pattern: `^(a|b)*a${'(a|b)'.repeat(40)}$` })),
  'a schema of schemas of schemas': () => chat(schema(nested(100, (inner) => ({ type: 'array', items: inner })))),
  'a constant that nests': () => ['/v1/chat/completions', `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  'two million brackets': () => ['/v1/completions', '['.repeat(2_000_000)],
  'biases by the hundred thousand': () =>
    chat({ logit_bias: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, 1])) }),
  'unknown fields by the hundred thousand': () =>
    chat(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`x${i}`, 1]))),
  'a name of megabytes': () => chat({ model: 'm'.repeat(8_000_000) }),
}

function chat(fields: object): [string, string] {
  return ['/v1/chat/completions', JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], ...fields })]
}

function schema(schema: unknown): object {
  return { max_tokens: 4, response_format: { type: 'json_schema', json_schema: { schema } } }
}

function nested(depth: number, around: (inner: unknown) => unknown): unknown {
  return depth === 0 ? {} : around(nested(depth - 1, around))
}

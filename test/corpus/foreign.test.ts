import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Entry, emptyEntry, encodeEntry, encodeHeader } from '../../src/corpus/durable/format.js'
import { CorpusStore, exportStore, importStore, inspectStore, verifyStore } from '../../src/corpus/durable/index.js'

const root = mkdtempSync(path.join(tmpdir(), 'lookahead-foreign-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const tokenizer = { fingerprint: 'f1', vocabularySize: 1000, modelName: 'a model' }
const begin: Partial<Entry> = { type: 'namespace', namespace: 1, name: 'acme' }
const good: Partial<Entry> = { type: 'record', namespace: 1, id: 1, kind: 'request', time: 1, tokens: [1, 2, 3] }
const end: Partial<Entry> = { type: 'end', namespace: 0 }

/** A file with the right checksums, whatever it says. */
function write(file: string, entries: Partial<Entry>[]): string {
  const bytes = entries.map((entry) => encodeEntry({ ...emptyEntry, ...entry } as Entry))
  writeFileSync(file, Buffer.concat([encodeHeader(tokenizer), ...bytes]))
  return file
}

const foreign: [what: string, entry: Partial<Entry>][] = [
  ['a token beyond the vocabulary', { ...good, id: 2, tokens: [1, 1000] }],
  ['the largest token', { ...good, id: 2, tokens: [2 ** 31 - 1] }],
  ['a negative token', { ...good, id: 2, tokens: [-5] }],
  ['names that are no list', { ...good, id: 2, names: 'terms' as unknown as string[] }],
  ['a name that is no text', { ...good, id: 2, names: [7] as unknown as string[] }],
  ['an empty name', { ...good, id: 2, names: [''] }],
  ['a namespace without a name', { ...begin, namespace: 2, name: '' }],
  ['half an id', { ...good, id: 2.5 }],
]

describe('a file that nobody here has written', () => {
  it.each(foreign)('is refused as a whole: %s', async (what, entry) => {
    const folder = path.join(root, `import ${what}`)
    const file = write(path.join(root, 'archive.lkc'), [begin, good, entry, end])
    await expect(importStore(folder, file)).rejects.toMatchObject({ code: 'damaged' })
    expect(() => readdirSync(folder)).toThrow()
  })

  it.each(foreign)('can be mended where it is a cache already: %s', async (what, entry) => {
    const folder = path.join(root, `folder ${what}`)
    {
      await using _ = await CorpusStore.open(folder, tokenizer)
    }
    const [name] = readdirSync(folder).filter((one) => one.endsWith('.lkc'))
    write(path.join(folder, name), [begin, good, entry, { ...good, id: 3 }])
    await expect(CorpusStore.open(folder, tokenizer)).rejects.toMatchObject({ code: 'damaged' })
    expect((await verifyStore(folder, true)).entries).toBe(2)
    await using store = await CorpusStore.open(folder, tokenizer)
    expect(store.corpus.describe()).toMatchObject([{ name: 'acme', requests: 1 }])
  })
})

describe.skipIf(process.platform === 'win32')('what is kept', () => {
  it('is for its owner only, whatever the umask', async () => {
    const before = process.umask(0)
    try {
      const folder = path.join(root, 'private', 'cache')
      {
        await using store = await CorpusStore.open(folder, tokenizer)
        store.corpus.addRequest([4, 5, 6], 'acme')
        await store.compact()
        expect(modeOf(path.join(folder, 'lock'))).toBe(0o600)
      }
      expect(modeOf(folder)).toBe(0o700)
      for (const name of readdirSync(folder)) expect(modeOf(path.join(folder, name)), name).toBe(0o600)
      await using store = await inspectStore(folder)
      await exportStore(store, path.join(root, 'out.lkc'))
      expect(modeOf(path.join(root, 'out.lkc'))).toBe(0o600)
    } finally {
      process.umask(before)
    }
  })
})

function modeOf(file: string): number {
  return statSync(file).mode & 0o777
}

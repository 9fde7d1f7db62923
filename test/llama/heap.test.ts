import koffi from 'koffi'
import { describe, expect, it } from 'vitest'
import { keepHeapLean } from '../../src/llama/heap.js'

const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
const hasGlibc = process.platform === 'linux' && report?.header?.glibcVersionRuntime !== undefined

describe.skipIf(!hasGlibc)('keepHeapLean', () => {
  it('leaves what the user has set', () => {
    expect(
      keepHeapLean({
        MALLOC_TRIM_THRESHOLD_: '131072',
        GLIBC_TUNABLES: 'glibc.malloc.arena_max=2:glibc.malloc.mmap_threshold=1048576',
      }),
    ).toBe(0)
    expect(keepHeapLean({ MALLOC_MMAP_THRESHOLD_: '1048576' })).toBe(1)
    expect(keepHeapLean({})).toBe(2)
  })

  it('has large buffers mapped one by one, whatever was freed before', () => {
    const library = koffi.load(null)
    const fields = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'.split(' ')
    const info = koffi.struct(Object.fromEntries(fields.map((field) => [field, 'int'])))
    const account = library.func('mallinfo', info, [])
    const malloc = library.func('void* malloc(size_t size)')
    const free = library.func('void free(void* block)')
    /** Whether a buffer got a mapping of its own. */
    const isMapped = () => {
      const before = account().hblks
      const block = malloc(30 * 2 ** 20)
      const after = account().hblks
      free(block)
      return after > before
    }
    expect(isMapped()).toBe(true)
    expect(isMapped()).toBe(true)
  })
})

it.skipIf(hasGlibc)('does nothing where there is no glibc', () => {
  expect(keepHeapLean({})).toBe(0)
})

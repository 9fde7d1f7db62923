// How much of what was freed the C library keeps.

import koffi from 'koffi'

/** A setting of glibc's `mallopt`, and the two names under which a user may have made it. */
interface HeapSetting {
  parameter: number
  value: number
  variable: string
  tunable: string
}

const settings: readonly HeapSetting[] = [
  { parameter: -1, value: 2 ** 20, variable: 'MALLOC_TRIM_THRESHOLD_', tunable: 'glibc.malloc.trim_threshold' },
  { parameter: -3, value: 2 ** 18, variable: 'MALLOC_MMAP_THRESHOLD_', tunable: 'glibc.malloc.mmap_threshold' },
]

/**
 * Has glibc give large buffers back to the system when they are freed, for as long as the process lives. By itself it
 * learns from every one that is freed to keep the next ones in its heap, up to 32 MiB each: a server that reads bodies of
 * megabytes then holds hundreds of megabytes of holes between what small things are left.
 *
 * What the user has set by `MALLOC_…` or `GLIBC_TUNABLES` stands. Other C libraries are left alone.
 *
 * @returns how many settings were made
 */
export function keepHeapLean(environment: NodeJS.ProcessEnv = process.env): number {
  if (process.platform !== 'linux') return 0
  const tunables = environment.GLIBC_TUNABLES ?? ''
  const open = settings.filter(({ variable, tunable }) => !environment[variable] && !tunables.includes(`${tunable}=`))
  try {
    const library = koffi.load(null)
    // Others export `mallopt` too, to mean something else or nothing.
    library.func('const char* gnu_get_libc_version()')
    const mallopt = library.func('int mallopt(int parameter, int value)')
    return open.filter(({ parameter, value }) => mallopt(parameter, value) === 1).length
  } catch {
    return 0
  }
}

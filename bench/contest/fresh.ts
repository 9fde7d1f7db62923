// A measurement in a process of its own, so that nothing is warm.

import { fork } from 'node:child_process'

type Message<Result> = { progress: string } | { value: Result } | { error: string }

/** Runs one measurement in a fresh process: `script` calls {@link serveOnce} there. */
export function inFreshProcess<Options, Result>(
  script: string,
  options: Options,
  onProgress: (text: string) => void,
): Promise<Result> {
  const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'advanced' })
  return new Promise<Result>((resolve, reject) => {
    child.on('message', (message: Message<Result>) => {
      if ('progress' in message) return onProgress(message.progress)
      if ('error' in message) reject(new Error(message.error))
      else resolve(message.value)
      child.disconnect()
    })
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code ?? 'a signal'} before it was done`)))
    child.send(options as object)
  })
}

/** The other end: measures once and goes. */
export function serveOnce<Options, Result>(
  measure: (options: Options, onProgress: (text: string) => void) => Promise<Result>,
): void {
  process.once('message', async (options: Options) => {
    const send = (message: Message<Result>) => process.send?.(message)
    try {
      send({ value: await measure(options, (progress) => send({ progress })) })
    } catch (error) {
      send({ error: error instanceof Error ? error.message : String(error) })
    }
  })
  process.on('disconnect', () => process.exit(0))
}

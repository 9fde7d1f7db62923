import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '../..')

it('ends the process though a native call waits for a callback that will not come', () => {
  const script = `
    const { LlamaLibrary } = await import('./dist/llama/library.js')
    const { callAsync, endProcess, registerLogCallback } = await import('./dist/llama/native.js')
    const { llama } = LlamaLibrary.load()
    llama.llama_log_set(registerLogCallback(() => {}).pointer, null)
    process.on('exit', () => console.log('goodbye'))
    void callAsync(llama.llama_model_load_from_file, 'models/lookahead-qa.gguf', llama.llama_model_default_params())
    // While this thread sleeps, the other one comes to its first line of log and waits to be heard.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
    endProcess(7)`
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL',
  })
  expect({ status, signal, stdout, stderr }).toEqual({ status: 7, signal: null, stdout: 'goodbye\n', stderr: '' })
}, 40_000)

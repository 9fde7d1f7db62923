// Electron: the main process holds the engine; a window asks by `ask` and is sent the answer as it is written. In the preload:
//     contextBridge.exposeInMainWorld('llm', {
//       ask: (id, question, documents) => ipcRenderer.invoke('ask', id, question, documents),
//       stop: (id) => ipcRenderer.send('stop', id),
//       onText: (listener) => ipcRenderer.on('text', (_event, id, text) => listener(id, text)),
//     })
// npm install lookahead-llm electron. Packed apps keep native code as files: asarUnpack of lookahead-llm, @node-llama-cpp, koffi.
import { fileURLToPath } from 'node:url'
import { app, BrowserWindow, ipcMain } from 'electron'
import { Engine } from 'lookahead-llm'

// Loads while the window opens; forwards run on threads of their own, so that windows never wait for them.
const loading = Engine.load({ model: process.env.MODEL ?? 'embedded', slots: 2 })
const running = new Map<string, AbortController>()

ipcMain.handle('ask', async (event, id: string, question: string, documents: string[] = []) => {
  const gone = new AbortController()
  const stop = () => gone.abort()
  running.set(id, gone)
  event.sender.once('destroyed', stop)
  try {
    const engine = await loading
    const answer = engine.chat({ messages: [{ role: 'user', content: question }], documents, signal: gone.signal })
    for await (const { text } of answer) if (!event.sender.isDestroyed()) event.sender.send('text', id, text)
    const { text, reason } = await answer.result
    return { text, reason }
  } finally {
    running.delete(id)
    event.sender.off('destroyed', stop)
  }
})
ipcMain.on('stop', (_event, id: string) => running.get(id)?.abort())

// Not awaited here: Electron is ready only after this file has been run.
void app.whenReady().then(() => {
  const preload = fileURLToPath(new URL('preload.cjs', import.meta.url))
  return new BrowserWindow({ webPreferences: { preload } }).loadFile('index.html')
})

let isClosed = false
app.on('will-quit', async (event) => {
  if (isClosed) return
  event.preventDefault()
  await (await loading).close()
  isClosed = true
  app.quit()
})

// The part of Electron's types that electron.ts uses, for checking it here without Electron's 200 MB. With
// `npm install electron` its own types take their place.
declare module 'electron' {
  interface Sender {
    send(channel: string, ...values: unknown[]): void
    isDestroyed(): boolean
    once(event: 'destroyed', listener: () => void): void
    off(event: 'destroyed', listener: () => void): void
  }
  export const app: {
    whenReady(): Promise<void>
    on(event: 'will-quit', listener: (event: { preventDefault(): void }) => void): void
    quit(): void
  }
  export const ipcMain: {
    // biome-ignore lint/suspicious/noExplicitAny: a window may send anything, as in Electron's own types.
    handle(channel: string, listener: (event: { sender: Sender }, ...values: any[]) => unknown): void
    // biome-ignore lint/suspicious/noExplicitAny: the same.
    on(channel: string, listener: (event: { sender: Sender }, ...values: any[]) => void): void
  }
  export class BrowserWindow {
    constructor(options?: { webPreferences?: { preload?: string } })
    loadFile(path: string): Promise<void>
  }
}

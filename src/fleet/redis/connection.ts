// Connections to a Redis or Valkey server.

import { FleetError } from '../error.js'

/** Milliseconds after which a server that does not answer counts as lost. */
const ANSWER_MS = 5000

/** What a command is made of. */
export type Argument = string | Buffer
/** What comes back: with RESP2, and with texts left as bytes. */
export type Reply = Buffer | number | null | Reply[]

interface Client {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<unknown>
  destroy(): void
  readonly isOpen: boolean
  sendCommand(args: readonly Argument[]): Promise<unknown>
}

/** A command that the server has refused; the connection is in order. */
export class RefusedCommand extends Error {}

/** Where a server is, and how to open connections to it. */
export class RedisAddress {
  /** Without the password. */
  readonly name: string
  readonly #create: () => Client

  /**
   * Reads a URL and loads the client.
   *
   * @throws FleetError `invalid-parameter` for the URL; `not-installed` without `@redis/client`
   */
  static async read(text: string): Promise<RedisAddress> {
    if (!URL.canParse(text))
      throw new FleetError('invalid-parameter', `'${withoutPassword(text)}' is no URL; expected redis://HOST:PORT`)
    const url = new URL(text)
    url.protocol = url.protocol.replace(/^valkey/, 'redis')
    if (!/^\/?\d*$/.test(url.pathname))
      throw new FleetError(
        'invalid-parameter',
        `the URL of a Redis ends with the number of a database, got '${url.pathname}'`,
      )
    const { createClient, RESP_TYPES } = await import('@redis/client').catch((cause) => {
      throw new FleetError('not-installed', `${url.protocol}// needs a package: npm install @redis/client@6`, { cause })
    })
    const create = () =>
      createClient({
        url: url.href,
        RESP: 2,
        disableClientInfo: true,
        // Each command gets a bound of its own here; the client's would wake the process seconds after the answer.
        commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
        socket: { reconnectStrategy: false, connectTimeout: ANSWER_MS },
      })
    return new RedisAddress(`${url.protocol}//${url.host}${url.pathname}`, create as () => unknown as () => Client)
  }

  private constructor(name: string, create: () => Client) {
    this.name = name
    this.#create = create
  }

  /** Opens a connection. @throws if the server does not answer or does not let us in */
  async connect(): Promise<RedisConnection> {
    const client = this.#create()
    // Told by the commands that fail with it.
    client.on('error', () => {})
    try {
      await within(ANSWER_MS, client.connect())
    } catch (error) {
      destroy(client)
      throw error
    }
    return new RedisConnection(client)
  }
}

/** One connection; once a command has failed by it, open another. */
export class RedisConnection {
  readonly #client: Client

  /** @internal Made by {@link RedisAddress.connect}. */
  constructor(client: Client) {
    this.#client = client
  }

  /**
   * Sends a command.
   *
   * @param blockMs milliseconds that the server may wait before it answers
   * @throws RefusedCommand if the server says no; another error if the connection is lost
   */
  async send(args: readonly Argument[], blockMs = 0): Promise<Reply> {
    try {
      return (await within(blockMs + ANSWER_MS, this.#client.sendCommand(args))) as Reply
    } catch (error) {
      const { name, message } = error as Error
      if (/ErrorReply|SimpleError|BlobError/.test(`${name} ${(error as Error).constructor.name}`))
        throw new RefusedCommand(message, { cause: error })
      throw error
    }
  }

  close(): void {
    destroy(this.#client)
  }
}

/** An address as it may be shown. */
export function withoutPassword(text: string): string {
  return text.replace(/\/\/.*@/, '//…@').slice(0, 200)
}

function destroy(client: Client): void {
  try {
    if (client.isOpen) client.destroy()
  } catch {
    // It was gone already.
  }
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${ms / 1000} s`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

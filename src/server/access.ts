// Who may come in: keys, their namespaces, and the names of hosts.

import { createHash, timingSafeEqual } from 'node:crypto'
import { hostname } from 'node:os'
import { ApiError } from './errors.js'

/** A key whose requests all belong to one namespace. */
export interface NamespaceKey {
  key: string
  namespace: string
}

/** Decides who may call: by key, by the host name of the request, and for browsers by the page's origin. */
export class Access {
  readonly #keys: readonly { digest: Buffer; namespace: string | undefined }[]
  readonly #origins: readonly string[]
  readonly #hosts: readonly string[]

  /** @throws TypeError for an empty key or namespace, and for what is no origin */
  constructor(keys: readonly (string | NamespaceKey)[], origins: readonly string[], hosts: readonly string[] = []) {
    this.#hosts = hosts.map((host) => host.toLowerCase())
    this.#keys = keys.map((entry) => {
      const { key, namespace } = typeof entry === 'string' ? { key: entry, namespace: undefined } : entry
      if (key === '') throw new TypeError('Access: an API key must not be empty')
      if (namespace === '') throw new TypeError('Access: the namespace of an API key must not be empty')
      return { digest: digest(key), namespace }
    })
    for (const origin of origins)
      if (!isOrigin(origin))
        throw new TypeError(
          `Access: expected an origin such as http://localhost:3000, '*' or 'localhost', got '${origin}'`,
        )
    this.#origins = origins
  }

  /**
   * Checks the host name of a request if no key is required: the owner of a domain may point it at this machine, and a page
   * loaded from that domain would then count as this server's own (DNS rebinding).
   *
   * @throws ApiError 403; 400 for what cannot be a name
   */
  checkHost(request: Request): void {
    if (!URL.canParse(request.url))
      throw new ApiError(400, 'invalid_request_error', 'the header Host names no host', { code: 'invalid_host' })
    if (this.#keys.length > 0 || this.#hosts.includes('*')) return
    const { hostname } = new URL(request.url)
    const name = hostname.toLowerCase().replace(/\.$/, '')
    if (isPrivateName(name) || this.#hosts.includes(name)) return
    throw new ApiError(
      403,
      'authentication_error',
      `this server is not to be called by the name ${name.slice(0, 200)}; --allowed-host names those it has, or demand a key with --api-key-file`,
      { code: 'host_not_allowed' },
    )
  }

  /**
   * Checks the key of a request; returns the namespace that the key is bound to, if it is.
   *
   * @throws ApiError 401
   */
  checkKey(request: Request): string | undefined {
    if (this.#keys.length === 0) return undefined
    const [, bearer] = /^Bearer +(.+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
    const key = bearer ?? request.headers.get('x-api-key') ?? undefined
    // Digests have equal length and all keys are compared, so timing reveals nothing about them.
    const given = digest(key ?? '')
    let known: { namespace: string | undefined } | undefined
    for (const one of this.#keys) if (timingSafeEqual(one.digest, given)) known = one
    if (known && key !== undefined) return known.namespace
    throw new ApiError(
      401,
      'authentication_error',
      key === undefined
        ? "a key is needed: send 'Authorization: Bearer …' or 'X-Api-Key: …'"
        : 'the key is not valid here',
      { code: 'invalid_api_key' },
    )
  }

  /**
   * The origin to allow in the response; `undefined` if the request comes from our own page or not from a page at all.
   *
   * @throws ApiError 403 for pages that may not call
   */
  checkOrigin(request: Request): string | undefined {
    const origin = request.headers.get('origin')
    if (origin === null) return undefined
    if (this.#origins.includes('*') || this.#origins.includes(origin)) return origin
    if (this.#origins.includes('localhost') && isOfThisMachine(origin)) return origin
    if (isSameHost(origin, request.url) && (this.#keys.length > 0 || isOwnAddress(origin))) return undefined
    throw new ApiError(
      403,
      'authentication_error',
      `pages of ${origin.slice(0, 200)} may not call this server; --cors-origin names those that may`,
      { code: 'origin_not_allowed' },
    )
  }
}

/**
 * Whether pages can be of this: a scheme, a name and perhaps a port, without a path. `*`: all; `localhost`: of any port; `null`:
 * what has no name, as a file.
 */
export function isOrigin(text: string): boolean {
  return text === '*' || text === 'localhost' || text === 'null' || /^[a-z][a-z\d+.-]*:\/\/[^/\s]+$/i.test(text)
}

/** Whether a page is served by this machine to itself. */
function isOfThisMachine(origin: string): boolean {
  return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(origin)
}

/** Whether a page comes from the server itself; behind a proxy the scheme may differ. */
function isSameHost(origin: string, url: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === new URL(url).host
}

/**
 * Whether an origin is an address or `localhost`. If no key is required, any other name proves nothing: its owner may point
 * it at this machine and so make a page of their own look like ours.
 */
function isOwnAddress(origin: string): boolean {
  return /^https?:\/\/(localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?$/i.test(origin)
}

/** Whether a name is an address, or a name that nobody can register: of this machine or its network. */
function isPrivateName(name: string): boolean {
  if (/^([\d.]+|\[[\da-f:.]+\])$/.test(name) || name === machine) return true
  return !name.includes('.') || /\.(localhost|local|internal|lan|home\.arpa)$/.test(name)
}

const machine = hostname().toLowerCase()

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

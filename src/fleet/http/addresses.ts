// Which machines the addresses of peers stand for.

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/**
 * The machines that addresses stand for: a name may stand for several, as a headless service does. By address, so that
 * one that is named twice is asked once.
 */
export async function resolvePeers(urls: readonly URL[]): Promise<Map<string, { url: URL; address: string }>> {
  const found = new Map<string, { url: URL; address: string }>()
  await Promise.all(
    urls.map(async (url) => {
      const name = url.hostname.replace(/^\[(.*)\]$/, '$1')
      const addresses = isIP(name)
        ? [name]
        : await lookup(name, { all: true }).then(
            (all) => all.map(({ address }) => address),
            () => [],
          )
      for (const address of addresses) found.set(`${address} ${url.port} ${url.protocol}`, { url, address })
    }),
  )
  return found
}

// The page at `/`.

import { readdirSync, readFileSync } from 'node:fs'

/** The folder of the page: its markup, and what that names below `web/`. */
const folder = new URL('../../web/', import.meta.url)

const types: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
}

/** Nothing from elsewhere, and no script but the page's own files. */
const policy =
  "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"

/** Every file of the page by its path, read once. */
let files: Map<string, string> | undefined

/** The page, or a part of it; `undefined` if it has no such part. */
export function page(path = 'index.html'): Response | undefined {
  files ??= new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(css|html|js)$/.test(name))
      .map((name) => [name.replaceAll('\\', '/'), readFileSync(new URL(name, folder), 'utf8')]),
  )
  const text = files.get(path)
  if (text === undefined) return undefined
  return new Response(text, {
    headers: {
      'Content-Type': types[path.slice(path.lastIndexOf('.') + 1)],
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache',
    },
  })
}

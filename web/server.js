/** What the page asks of the server it came from. Paths are relative, so that a prefix does not matter. */

const base = new URL('../', import.meta.url)

/** The key that is typed where the server demands one. */
let key = ''
export function useKey(typed) {
  key = typed
}

export function call(path, { body, signal, method = body ? 'POST' : 'GET' } = {}) {
  return fetch(new URL(path.replace(/^\//, ''), base), {
    method,
    headers: { ...(body && { 'Content-Type': 'application/json' }), ...(key && { Authorization: `Bearer ${key}` }) },
    body: body && JSON.stringify(body),
    signal,
  })
}

/** The sentence of a refusal. */
export async function refusal(response) {
  const answer = await response.json().catch(() => undefined)
  return answer?.error?.message ?? `the server answers ${response.status}`
}

/** The objects of a stream of server-sent events. */
export async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let held = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (held + value).split('\n\n')
    held = blocks.pop()
    for (const block of blocks) {
      const data = block.split('\n').find((line) => line.startsWith('data: '))?.slice(6)
      if (data && data !== '[DONE]') yield JSON.parse(data)
    }
  }
}

/** Conversations kept in this browser, the newest first. Nothing of them is on the server. */
import { $, element } from './words.js'

const place = 'lookahead.conversations'
const mostKept = 50

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? '[]')
    return Array.isArray(kept) ? kept : []
  } catch {
    return []
  }
}

function write(kept) {
  // A full or closed store loses the oldest, or all: the page goes on without.
  for (let count = Math.min(mostKept, kept.length); count >= 0; count = count > 1 ? count >> 1 : count - 1)
    try {
      localStorage.setItem(place, JSON.stringify(kept.slice(0, count)))
      return
    } catch {}
}

/** Keeps a conversation under its id. */
export function keep(conversation) {
  write([conversation, ...read().filter(({ id }) => id !== conversation.id)])
}

/** Lists what is kept; `open` is called with the one that is chosen. */
export function listHistory(open) {
  const kept = read()
  $('history').replaceChildren(
    ...(kept.length === 0 ? [element('li', { className: 'soft' }, 'Nothing is kept yet.')] : []),
    ...kept.map((conversation) => {
      const title = element('button', { type: 'button', className: 'title', textContent: conversation.title })
      title.onclick = () => {
        $('historybox').open = false
        open(conversation)
      }
      const away = element('button', { type: 'button', className: 'small', textContent: 'Delete', ariaLabel: `Delete ${conversation.title}` })
      away.onclick = () => {
        write(read().filter(({ id }) => id !== conversation.id))
        listHistory(open)
      }
      return element('li', {}, title, away)
    }),
  )
}

/**
 * Markdown as elements. The tree that marked reads is built node by node from text alone, so nothing that a model writes
 * becomes a tag, a script or a link to anywhere but the web.
 */
import { marked } from './vendor/marked.js'
import { copyButton, element } from './words.js'

/** Whether rendering a text would show more than its lines. */
export function isMarkdown(text) {
  return marked.lexer(text).some((token) => {
    if (['code', 'heading', 'list', 'table', 'blockquote', 'hr'].includes(token.type)) return true
    return token.tokens?.some(({ type }) => type !== 'text' && type !== 'escape' && type !== 'br') ?? false
  })
}

/** The elements of a text in Markdown. */
export function renderMarkdown(text) {
  return marked.lexer(text, { gfm: true, breaks: true }).flatMap(block)
}

function block(token) {
  switch (token.type) {
    case 'space':
    case 'def':
      return []
    case 'heading':
      return [element(`h${Math.min(6, token.depth + 2)}`, {}, ...inlines(token.tokens))]
    case 'paragraph':
      return [element('p', {}, ...inlines(token.tokens))]
    case 'code':
      return [codeBlock(token)]
    case 'blockquote':
      return [element('blockquote', {}, ...token.tokens.flatMap(block))]
    case 'list':
      return [list(token)]
    case 'table':
      return [table(token)]
    case 'hr':
      return [element('hr')]
    case 'text':
      return token.tokens ? inlines(token.tokens) : [token.text]
    default:
      return [element('p', {}, token.raw)]
  }
}

function list({ ordered, start, items }) {
  const made = element(ordered ? 'ol' : 'ul')
  if (ordered && start !== 1) made.start = start
  for (const item of items) {
    const box = item.task ? [element('input', { type: 'checkbox', disabled: true, checked: item.checked }), ' '] : []
    made.append(element('li', {}, ...box, ...item.tokens.filter(({ type }) => type !== 'checkbox').flatMap(block)))
  }
  return made
}

function codeBlock({ text, lang }) {
  const head = element('div', { className: 'codehead' }, lang?.split(/\s/)[0] ?? '', copyButton(() => text))
  return element('div', { className: 'code' }, head, element('pre', { tabIndex: 0 }, element('code', {}, text)))
}

function table({ header, rows, align }) {
  const row = (cells, name) =>
    element('tr', {}, ...cells.map(({ tokens }, i) => {
      const cell = element(name, {}, ...inlines(tokens))
      if (align[i]) cell.style.textAlign = align[i]
      return cell
    }))
  const made = element('table', {}, element('thead', {}, row(header, 'th')), element('tbody', {}, ...rows.map((cells) => row(cells, 'td'))))
  return element('div', { className: 'wide', tabIndex: 0 }, made)
}

function inlines(tokens = []) {
  return tokens.map(inline)
}

function inline(token) {
  switch (token.type) {
    case 'strong':
      return element('strong', {}, ...inlines(token.tokens))
    case 'em':
      return element('em', {}, ...inlines(token.tokens))
    case 'del':
      return element('del', {}, ...inlines(token.tokens))
    case 'codespan':
      return element('code', {}, token.text)
    case 'br':
      return element('br')
    case 'link':
      return /^(https?:|mailto:)/i.test(token.href)
        ? element('a', { href: token.href, target: '_blank', rel: 'noreferrer noopener' }, ...inlines(token.tokens))
        : element('span', {}, token.raw)
    case 'text':
      return token.tokens ? element('span', {}, ...inlines(token.tokens)) : new Text(token.text)
    case 'escape':
      return new Text(token.text)
    default:
      // Pictures would be fetched from elsewhere, and tags are text.
      return new Text(token.raw)
  }
}

/** The documents that answers may draw from. */
import { $, element, plural } from './words.js'

const mostCharacters = 200_000

export function addDocument(title = '', text = '') {
  const name = element('input', { placeholder: 'Title', value: title, ariaLabel: 'title of the document' })
  const away = element('button', { type: 'button', textContent: 'Remove' })
  const area = element('textarea', { rows: 3, spellcheck: false, placeholder: 'Text', value: text, ariaLabel: 'text of the document' })
  const box = element('div', { className: 'doc' }, element('div', {}, name, away), area)
  away.onclick = () => {
    box.remove()
    countDocuments()
  }
  $('doclist').append(box)
  countDocuments()
  return area
}

/** Replaces all documents. */
export function showDocuments(documents) {
  $('doclist').replaceChildren()
  for (const { title, text } of documents) addDocument(title, text)
  countDocuments()
}

export function readDocuments() {
  return [...$('doclist').children]
    .map((box) => ({ title: box.querySelector('input').value.trim(), text: box.querySelector('textarea').value.trim() }))
    .filter(({ text }) => text !== '')
    .map(({ title, text }) => (title === '' ? { text } : { title, text }))
}

export async function takeFiles(files) {
  for (const file of files) {
    const text = (await file.text()).slice(0, mostCharacters)
    // A heading it begins with is the better title; the server takes it from there.
    addDocument(/^\s*#{1,2}\s/.test(text) ? '' : file.name.replace(/\.\w+$/, ''), text)
  }
  if (files.length > 0) $('docbox').open = true
}

function countDocuments() {
  const count = $('doclist').children.length
  $('doccount').textContent = count === 0 ? 'Documents' : plural(count, 'document')
}

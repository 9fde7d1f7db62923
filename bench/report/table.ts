// Tables as Markdown, and numbers as people read them.

import { escapeXml } from './svg.js'

/** A table: the first columns are text, all others are figures. */
export interface Table {
  heading: string[]
  rows: string[][]
  /** Columns of text. Default 1. */
  texts?: number
  /** Index of the row to set off. */
  strong?: number
}

export function htmlTable({ heading, rows, texts = 1, strong }: Table): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell, i) => `<${tag}${i < texts ? ' class="text"' : ''}>${written(cell)}</${tag}>`).join('')
  const body = rows.map((row, i) => `<tr${i === strong ? ' class="strong"' : ''}>${cells('td', row)}</tr>`)
  return `<div class="scroll"><table><thead><tr>${cells('th', heading)}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

export function markdownTable({ heading, rows, texts = 1, strong }: Table): string {
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  const rule = heading.map((_, i) => (i < texts ? '---' : '---:'))
  const body = rows.map((row, i) => line(i === strong ? row.map((cell) => (cell === '' ? '' : `**${cell}**`)) : row))
  return [line(heading), line(rule), ...body].join('\n')
}

/** Code stands between backticks. */
function written(cell: string): string {
  return escapeXml(cell).replace(/`([^`]+)`/g, '<code>$1</code>')
}

export function figure(value: number | undefined, digits = 2): string {
  return value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits)
}

export function thousands(value: number): string {
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)
}

export function times(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '–' : `${value.toFixed(2)} ×`
}

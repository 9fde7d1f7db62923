/**
 * A small writer of SVG. Colours are CSS variables, so that one picture serves light and dark pages; a picture that
 * stands alone carries their values with it.
 */

type Attributes = Record<string, string | number | undefined>

/** An element as text. Attributes without a value are left out; children are taken as they are. */
export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escapeXml(value!)}"`)
    .join('')
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join('')}</${name}>`
}

/** Text at a point; `anchor` says which of its ends, or its middle, stands there. */
export function label(
  x: number,
  y: number,
  text: string,
  {
    anchor = 'middle',
    className,
    size,
    turn,
  }: { anchor?: 'start' | 'middle' | 'end'; className?: string; size?: number; turn?: number } = {},
): string {
  const transform = turn === undefined ? undefined : `rotate(${turn} ${round(x)} ${round(y)})`
  return element(
    'text',
    { x, y, 'text-anchor': anchor, class: className, 'font-size': size, transform },
    escapeXml(text),
  )
}

/** A picture. @param title read aloud instead of it */
export function picture(width: number, height: number, title: string, content: string, standsAlone = false): string {
  const style = standsAlone ? `<style>${palette(':root')}${shared}</style>` : ''
  const background = standsAlone ? element('rect', { width, height, rx: 8, class: 'sheet' }) : ''
  const attributes = {
    ...(standsAlone && { xmlns: 'http://www.w3.org/2000/svg' }),
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: 'img',
    'aria-label': title,
    class: 'plot',
  }
  return element('svg', attributes, style, background, content)
}

/** Colours of the series, in the order in which they are given out; the first is ours. */
const light = ['#0b6e4f', '#8a8f98', '#c2570c', '#2563a8', '#8b3fa0', '#b08900', '#b3264a', '#3c8d93']
const dark = ['#3ecf9a', '#868d98', '#f08a3c', '#6aa9ef', '#c58bdb', '#dcb94a', '#ef6b8e', '#6cc5cb']

export function seriesColour(index: number): string {
  return `var(--s${index % light.length})`
}

/** Values of all variables, for light pages and dark ones. */
export function palette(selector: string): string {
  const list = (colours: readonly string[]) => colours.map((colour, i) => `--s${i}:${colour}`).join(';')
  const lightSet = `--ink:#1d2126;--soft:#5c6570;--line:#d9dde2;--page:#ffffff;--sheet:#ffffff;--heat:11,110,79;${list(light)}`
  const darkSet = `--ink:#e6e8eb;--soft:#9aa4b0;--line:#343b44;--page:#14171b;--sheet:#1b1f25;--heat:62,207,154;${list(dark)}`
  return `${selector}{${lightSet}}@media (prefers-color-scheme:dark){${selector}{${darkSet}}}`
}

/** Rules that pictures need, inside a page or alone. */
export const shared: string = [
  '.plot{font-family:system-ui,-apple-system,"Segoe UI",sans-serif;font-size:12px;max-width:100%;height:auto}',
  '.plot text{fill:var(--ink)}.plot .soft{fill:var(--soft)}.plot .sheet{fill:var(--sheet)}',
  '.plot .grid{stroke:var(--line);stroke-width:1}.plot .axis{stroke:var(--soft);stroke-width:1}',
  '.plot .inside{fill:var(--page);font-weight:600}.plot .halo{paint-order:stroke;stroke:var(--page);stroke-width:3px}',
  '.plot .dot{fill:var(--sheet);stroke:var(--ink);stroke-width:1.2}.plot .whisker{stroke:var(--ink);stroke-width:1.2;fill:none}.plot .strong{font-weight:600}',
].join('')

export function escapeXml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
}

/** About how wide a text of 12 px is. */
export function widthOf(text: string): number {
  return 7 * text.length
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

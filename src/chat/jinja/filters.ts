// Filters: `value | name(…)`.

import { JinjaError } from './error.js'
import { parseJson, toJson } from './json.js'
import { capitalized, methodOf, padded, specified, titled } from './methods.js'
import { testNamed } from './tests.js'
import { changed, concat, isSpace, isStr, plain, replaced, type Str, slice, stripped, TextBuilder } from './text.js'
import {
  Callable,
  compare,
  Dict,
  equals,
  fromNumber,
  type Given,
  isFloat,
  isTrue,
  itemsOf,
  Namespace,
  Numeral,
  pairsOf,
  toNumber,
  toStr,
  type Value,
} from './value.js'

type Filter = (value: Value, args: Value[], given: Given) => Value

/** An argument by position or by name. */
const arg = ({ positional, named }: Given, place: number, name: string): Value => named.get(name) ?? positional[place]

/** What a dotted path leads to. */
function attribute(value: Value, path: Value): Value {
  let out = value
  for (const step of typeof path === 'number' ? [path] : plain(toStr(path)).split('.')) {
    if (out instanceof Dict) out = out.has(step) ? out.get(step) : undefined
    else if (out instanceof Namespace) out = out.attributes.get(String(step))
    else if (Array.isArray(out)) out = out[Number(step)]
    else return undefined
  }
  return out
}

const lengthOf = (value: Value): number => {
  if (value === undefined) return 0
  if (isStr(value)) return [...plain(value)].length
  return itemsOf(value).length
}

/** `select`, `reject` and the like: the entries that pass a test, or those that do not. */
const choose =
  (keep: boolean, byAttribute: boolean): Filter =>
  (value, args) => {
    const [name, ...rest] = byAttribute ? args.slice(1) : args
    const test = name === undefined ? isTrue : testNamed(plain(toStr(name)))
    return itemsOf(value).filter((entry) => test(byAttribute ? attribute(entry, args[0]) : entry, ...rest) === keep)
  }

const keyed = (given: Given, ignoreCase: boolean) => {
  const path = given.named.get('attribute')
  return (entry: Value): Value => {
    const key = path === undefined ? entry : attribute(entry, path)
    return ignoreCase && isStr(key) ? plain(key).toLowerCase() : key
  }
}

const extreme =
  (sign: number): Filter =>
  (value, _args, given) => {
    const key = keyed(given, true)
    const list = itemsOf(value)
    return list.length === 0
      ? undefined
      : list.reduce((best, entry) => (sign * compare(key(entry), key(best)) > 0 ? entry : best))
  }

const escapeHtml = (value: Value): Str => {
  let out = toStr(value)
  for (const [char, name] of [
    ['&', '&amp;'],
    ['<', '&lt;'],
    ['>', '&gt;'],
    ["'", '&#39;'],
    ['"', '&#34;'],
  ] as const)
    out = replaced(out, char, name)
  return out
}

export const filters: Record<string, Filter> = {
  abs: (value) => fromNumber(Math.abs(toNumber(value)), isFloat(value)),
  attr: (value, [name]) => attribute(value, name),
  batch: (value, [size, fill]) => {
    const list = itemsOf(value)
    const out: Value[] = []
    const n = Math.max(1, toNumber(size))
    for (let i = 0; i < list.length; i += n) {
      const part = list.slice(i, i + n)
      if (fill !== undefined) while (part.length < Math.min(n, 1e6)) part.push(fill)
      out.push(part)
    }
    return out
  },
  capitalize: (value) => changed(toStr(value), capitalized),
  center: (value, [width]) => padded(toStr(value), width === undefined ? 80 : toNumber(width), 0.5),
  count: (value) => lengthOf(value),
  default: (value, args, given) => {
    const otherwise = args[0] ?? given.named.get('default_value') ?? ''
    const alsoFalse = isTrue(args[1] ?? given.named.get('boolean'))
    return value === undefined || (alsoFalse && !isTrue(value)) ? otherwise : value
  },
  dictsort: (value, args, given) => {
    const by = plain(toStr(arg(given, 1, 'by') ?? 'key')) === 'value' ? 1 : 0
    const sameCase = isTrue(arg(given, 0, 'case_sensitive'))
    const key = (pair: Value): Value => {
      const entry = (pair as Value[])[by]
      return !sameCase && isStr(entry) ? plain(entry).toLowerCase() : entry
    }
    const sorted = (value instanceof Dict ? pairsOf(value) : []).sort((a, b) => compare(key(a), key(b)))
    return isTrue(arg(given, 2, 'reverse') ?? args[2]) ? sorted.reverse() : sorted
  },
  escape: escapeHtml,
  forceescape: escapeHtml,
  first: (value) => itemsOf(value)[0],
  float: (value, [otherwise]) => {
    const n = isStr(value) ? Number(plain(value).trim() || Number.NaN) : toNumber(value)
    return Number.isNaN(n) ? (otherwise ?? new Numeral(0)) : new Numeral(n)
  },
  format: (value, args) => percentFormatted(toStr(value), args),
  from_json: (value) => parseJson(plain(toStr(value))),
  fromjson: (value) => parseJson(plain(toStr(value))),
  groupby: (value, args, given) => {
    const path = args[0] ?? given.named.get('attribute')
    const groups: Value[][] = []
    for (const entry of itemsOf(value)) {
      const key = attribute(entry, path)
      const group = groups.find(([of]) => equals(of, key))
      if (group) (group[1] as Value[]).push(entry)
      else groups.push([key, [entry]])
    }
    return groups.sort((a, b) => compare(a[0], b[0]))
  },
  indent: (value, args, given) => {
    const width = arg(given, 0, 'width') ?? 4
    const pad = isStr(width) ? plain(width) : ' '.repeat(Math.min(1000, toNumber(width)))
    const first = isTrue(args[1] ?? given.named.get('first'))
    const blank = isTrue(args[2] ?? given.named.get('blank'))
    const text = toStr(value)
    const out = new TextBuilder()
    let from = 0
    const lines = plain(text).split('\n')
    for (const [i, line] of lines.entries()) {
      if ((i > 0 || first) && (blank || line !== '' || (i === 0 && first))) out.add(pad)
      const end = from + line.length + (i < lines.length - 1 ? 1 : 0)
      out.add(slice(text, from, end))
      from = end
    }
    return out.done()
  },
  int: (value, [otherwise]) => {
    if (isStr(value)) {
      const n = Number.parseInt(plain(value).trim(), 10)
      return Number.isNaN(n) ? (otherwise ?? 0) : n
    }
    return value === undefined || value === null ? (otherwise ?? 0) : Math.trunc(toNumber(value))
  },
  items: (value) => (value instanceof Dict ? pairsOf(value) : value === undefined ? [] : fail('items', 'a dictionary')),
  join: (value, args, given) => {
    const separator = toStr(arg(given, 0, 'd') ?? '')
    const path = args[1] ?? given.named.get('attribute')
    const out = new TextBuilder()
    for (const [i, entry] of itemsOf(value).entries()) {
      if (i > 0) out.add(separator)
      out.add(toStr(path === undefined ? entry : attribute(entry, path)))
    }
    return out.done()
  },
  last: (value) => itemsOf(value).at(-1),
  length: (value) => lengthOf(value),
  list: (value) => [...itemsOf(value)],
  lower: (value) => changed(toStr(value), (text) => text.toLowerCase()),
  map: (value, args, given) => {
    const path = given.named.get('attribute')
    if (path !== undefined) {
      const otherwise = given.named.get('default')
      return itemsOf(value).map((entry) => attribute(entry, path) ?? otherwise)
    }
    const filter = filterNamed(plain(toStr(args[0])))
    const rest = { positional: args.slice(1), named: given.named }
    return itemsOf(value).map((entry) => filter(entry, rest.positional, rest))
  },
  max: extreme(1),
  min: extreme(-1),
  pprint: (value) => toStr(value),
  random: (value) => itemsOf(value)[0],
  reject: choose(false, false),
  rejectattr: choose(false, true),
  replace: (value, args, given) =>
    methodOf(toStr(value), 'replace')?.call({
      positional: args.map((entry, i) => (i < 2 ? toStr(entry) : entry)),
      named: given.named,
    }),
  reverse: (value) => (isStr(value) ? concat(...(itemsOf(value).reverse() as Str[])) : [...itemsOf(value)].reverse()),
  round: (value, args, given) => {
    const precision = arg(given, 0, 'precision') ?? 0
    const method = plain(toStr(args[1] ?? given.named.get('method') ?? 'common'))
    const scale = 10 ** toNumber(precision)
    const n = toNumber(value) * scale
    return new Numeral((method === 'ceil' ? Math.ceil(n) : method === 'floor' ? Math.floor(n) : Math.round(n)) / scale)
  },
  safe: (value) => value,
  select: choose(true, false),
  selectattr: choose(true, true),
  slice: (value, [count, fill]) => {
    const list = itemsOf(value)
    const n = Math.min(1e5, Math.max(1, toNumber(count)))
    const size = Math.floor(list.length / n)
    const longer = list.length % n
    let from = 0
    return Array.from({ length: n }, (_, i) => {
      const part = list.slice(from, from + size + (i < longer ? 1 : 0))
      from += part.length
      if (fill !== undefined && i >= longer) part.push(fill)
      return part
    })
  },
  sort: (value, args, given) => {
    const sameCase = isTrue(args[1] ?? given.named.get('case_sensitive'))
    const path = args[2] ?? given.named.get('attribute')
    const key = (entry: Value): Value => {
      const of = path === undefined ? entry : attribute(entry, path)
      return !sameCase && isStr(of) ? plain(of).toLowerCase() : of
    }
    const sorted = [...itemsOf(value)].sort((a, b) => compare(key(a), key(b)))
    return isTrue(arg(given, 0, 'reverse')) ? sorted.reverse() : sorted
  },
  string: (value) => toStr(value),
  strip: (value) => stripped(toStr(value), isSpace, true, true),
  striptags: (value) => changed(toStr(value), (text) => withoutTags(text).replace(/\s+/g, ' ').trim()),
  sum: (value, args, given) => {
    const path = arg(given, 0, 'attribute')
    const start = args[1] ?? given.named.get('start') ?? 0
    const parts = itemsOf(value).map((entry) => (path === undefined ? entry : attribute(entry, path)))
    return fromNumber(
      parts.reduce((sum: number, part) => sum + toNumber(part), toNumber(start)),
      parts.some(isFloat),
    )
  },
  title: (value) => changed(toStr(value), titled),
  tojson: (value, args, { named }) => {
    const indent = args[0] ?? named.get('indent')
    const separators = named.get('separators')
    return toJson(value, {
      indent: indent === undefined || indent === null ? undefined : Math.min(64, toNumber(indent)),
      ascii: isTrue(named.get('ensure_ascii')),
      sortKeys: isTrue(named.get('sort_keys')),
      separators: Array.isArray(separators) ? [plain(toStr(separators[0])), plain(toStr(separators[1]))] : undefined,
    })
  },
  trim: (value, _args, given) => {
    const chars = arg(given, 0, 'chars')
    const set = chars === undefined || chars === null ? undefined : plain(toStr(chars))
    return stripped(toStr(value), set === undefined ? isSpace : (char) => set.includes(char), true, true)
  },
  truncate: (value, args, given) => {
    const length = toNumber(arg(given, 0, 'length') ?? 255)
    const text = toStr(value)
    if (plain(text).length <= length + toNumber(args[3] ?? given.named.get('leeway') ?? 5)) return text
    const end = toStr(args[2] ?? given.named.get('end') ?? '...')
    const cut = slice(text, 0, Math.max(0, length - plain(end).length))
    if (isTrue(args[1] ?? given.named.get('killwords'))) return concat(cut, end)
    const space = plain(cut).lastIndexOf(' ')
    return concat(space < 0 ? cut : slice(cut, 0, space), end)
  },
  unique: (value, _args, given) => {
    const key = keyed(given, !isTrue(given.named.get('case_sensitive')))
    const out: Value[] = []
    for (const entry of itemsOf(value)) if (!out.some((other) => equals(key(other), key(entry)))) out.push(entry)
    return out
  },
  upper: (value) => changed(toStr(value), (text) => text.toUpperCase()),
  urlencode: (value) =>
    changed(toStr(value), (text) =>
      encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')).replaceAll('%2F', '/'),
    ),
  wordcount: (value) =>
    plain(toStr(value))
      .split(/\s+/)
      .filter((word) => word !== '').length,
  xmlattr: (value) =>
    value instanceof Dict
      ? concat(...pairsOf(value).flatMap(([key, entry]) => [' ', toStr(key), '="', escapeHtml(entry), '"']))
      : '',
}
filters.d = filters.default
filters.e = filters.escape

/** A text without HTML comments and tags; a regular expression would search to the end of the text from every `<` that is never closed. */
function withoutTags(text: string): string {
  let kept = ''
  let from = 0
  let comments = true
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', from)) {
    let end = comments && text.startsWith('<!--', at) ? text.indexOf('-->', at + 4) + 2 : 0
    if (end === 1) comments = false
    if (end < 2) end = text.indexOf('>', at)
    if (end < 0) break
    kept += text.slice(from, at)
    from = end + 1
  }
  return kept + text.slice(from)
}

function fail(name: string, wanted: string): never {
  throw new JinjaError('render', `${name}: expected ${wanted}`)
}

/** @throws JinjaError `render` for an unknown filter */
export function filterNamed(name: string): Filter {
  if (!Object.hasOwn(filters, name)) throw new JinjaError('render', `there is no filter named '${name}'`)
  return filters[name]
}

/** Python's `'%s has %d' % (…)`. */
export function percentFormatted(text: Str, args: Value[]): Str {
  const source = plain(text)
  const parts: Str[] = []
  let next = 0
  let from = 0
  for (const found of source.matchAll(/%(?:\((\w+)\))?([-+ 0#]*)(\d+)?(?:\.(\d+))?([sdifgexr%])/g)) {
    parts.push(slice(text, from, found.index))
    from = found.index + found[0].length
    const [, name, flags, width, digits, type] = found
    if (type === '%') parts.push('%')
    else {
      const value = name === undefined ? args[next++] : attribute(args[0], name)
      const align = flags.includes('-') ? '<' : '>'
      const zero = flags.includes('0') && align === '>' ? '0' : ''
      const precision = digits === undefined ? '' : `.${digits}`
      const plus = flags.includes('+') ? '+' : ''
      const shown = type === 'd' || type === 'i' ? Math.trunc(toNumber(value)) : value
      parts.push(
        specified(
          type === 's' || type === 'r' ? toStr(shown) : shown,
          `${align}${plus}${zero}${width ?? ''}${precision}${type === 'f' || type === 'e' || type === 'x' ? type : ''}`,
        ),
      )
    }
  }
  parts.push(slice(text, from, source.length))
  return concat(...parts)
}

/** Filters can also be called with the arguments of a function (`map('tojson')`). */
export function filterAsCallable(name: string): Callable {
  const filter = filterNamed(name)
  return new Callable(name, (given) =>
    filter(given.positional[0], given.positional.slice(1), {
      positional: given.positional.slice(1),
      named: given.named,
    }),
  )
}

/**
 * A small reader of GBNF, enough for the grammars that the server writes: it tells whether a text fits. Plain
 * backtracking over sets of positions; for tests only.
 */
type Node =
  | { kind: 'text'; text: string }
  | { kind: 'set'; test: (character: string) => boolean }
  | { kind: 'rule'; name: string }
  | { kind: 'sequence'; items: Node[] }
  | { kind: 'choice'; items: Node[] }
  | { kind: 'repeat'; item: Node; least: number; most: number }

/** A grammar that can be asked. */
export class Grammar {
  readonly #rules = new Map<string, Node>()
  #source = ''
  #at = 0

  constructor(grammar: string) {
    for (const line of grammar.split('\n')) {
      const [, name, body] = /^([\w-]+) ::= (.*)$/s.exec(line) ?? []
      if (name === undefined) throw new Error(`not a rule: ${line}`)
      this.#source = body
      this.#at = 0
      this.#rules.set(name, this.#choice())
      if (this.#at < body.length) throw new Error(`rest of rule ${name}: ${body.slice(this.#at)}`)
    }
  }

  /** Whether the whole text fits. */
  admits(text: string): boolean {
    return this.#ends({ kind: 'rule', name: 'root' }, [...text], 0).has([...text].length)
  }

  #ends(node: Node, text: readonly string[], from: number): Set<number> {
    switch (node.kind) {
      case 'text': {
        const wanted = [...node.text]
        return new Set(wanted.every((character, i) => text[from + i] === character) ? [from + wanted.length] : [])
      }
      case 'set':
        return new Set(from < text.length && node.test(text[from]) ? [from + 1] : [])
      case 'rule': {
        const rule = this.#rules.get(node.name)
        if (!rule) throw new Error(`no rule ${node.name}`)
        return this.#ends(rule, text, from)
      }
      case 'choice':
        return new Set(node.items.flatMap((item) => [...this.#ends(item, text, from)]))
      case 'sequence': {
        let ends = new Set([from])
        for (const item of node.items) ends = new Set([...ends].flatMap((end) => [...this.#ends(item, text, end)]))
        return ends
      }
      case 'repeat': {
        const found = new Set(node.least === 0 ? [from] : [])
        let ends = new Set([from])
        for (let count = 1; count <= node.most && ends.size > 0; count++) {
          ends = new Set([...ends].flatMap((end) => [...this.#ends(node.item, text, end)]))
          if (count >= node.least) {
            const fresh = [...ends].filter((end) => !found.has(end))
            if (fresh.length === 0) break
            for (const end of fresh) found.add(end)
          }
        }
        return found
      }
    }
  }

  #choice(): Node {
    const items = [this.#sequence()]
    while (this.#source[this.#at] === '|') {
      this.#at++
      items.push(this.#sequence())
    }
    return items.length === 1 ? items[0] : { kind: 'choice', items }
  }

  #sequence(): Node {
    const items: Node[] = []
    for (;;) {
      while (this.#source[this.#at] === ' ') this.#at++
      const character = this.#source[this.#at]
      if (character === undefined || character === '|' || character === ')') return { kind: 'sequence', items }
      items.push(this.#repeated(this.#item(character)))
    }
  }

  #item(character: string): Node {
    if (character === '(') {
      this.#at++
      const inner = this.#choice()
      if (this.#source[this.#at++] !== ')') throw new Error('no closing parenthesis')
      return inner
    }
    const literal = this.#match(/"((?:[^"\\]|\\.)*)"/y)
    if (literal) return { kind: 'text', text: unescaped(literal[1]) }
    const set = this.#match(/\[((?:[^\]\\]|\\.)*)\]/y)
    if (set) {
      const pattern = new RegExp(`^[${set[1].replace(/\\U0*([0-9A-F]+)/g, '\\u{$1}')}]$`, 'u')
      return { kind: 'set', test: (one) => pattern.test(one) }
    }
    const name = this.#match(/[\w-]+/y)
    if (name) return { kind: 'rule', name: name[0] }
    throw new Error(`cannot read ${this.#source.slice(this.#at)}`)
  }

  #repeated(item: Node): Node {
    const mark = this.#match(/[*+?]|\{(\d+)(,?)(\d*)\}/y)
    if (!mark) return item
    const limits: Record<string, [number, number]> = { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] }
    const [least, most] = limits[mark[0]] ?? [
      Number(mark[1]),
      mark[2] === '' ? Number(mark[1]) : mark[3] === '' ? Infinity : Number(mark[3]),
    ]
    return { kind: 'repeat', item, least, most }
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#source)
    if (found) this.#at = pattern.lastIndex
    return found
  }
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, one: string) => ({ n: '\n', r: '\r', t: '\t' })[one] ?? one)
}

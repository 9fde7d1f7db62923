/** Rules that grammars are made of; only those in use are written. */
export const primitives: Record<string, string> = {
  ws: '| " " | "\\n" [ \\t]{0,20}',
  // Halves of characters only together: a length counts characters.
  char: '[^"\\\\\\x7F\\x00-\\x1F] | "\\\\" (["\\\\bfnrt/] | "u" (whole | high "\\\\u" low))',
  whole: '[0-9a-cA-Ce-fE-F] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}',
  high: '[dD] [89abAB] [0-9a-fA-F]{2}',
  low: '[dD] [c-fC-F] [0-9a-fA-F]{2}',
  string: '"\\"" char* "\\""',
  integer: '"-"? ("0" | [1-9] [0-9]{0,14})',
  number: 'integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
  boolean: '"true" | "false"',
  null: '"null"',
  object: '"{" ws (string ":" ws value ("," ws string ":" ws value)* ws)? "}"',
  array: '"[" ws (value ("," ws value)* ws)? "]"',
  value: 'object | array | string | number | boolean | null',
}

/** A GBNF string literal. */
export function literal(text: string): string {
  const escaped = text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r').replace(/\t/g, '\\t')
  return `"${escaped}"`
}

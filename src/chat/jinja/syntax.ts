/** What templates are made of: what the parser returns and the interpreter runs. */

import type { Value } from './value.js'

export type Expression =
  | { kind: 'literal'; value: string | number | boolean | null }
  | { kind: 'float'; value: number }
  | { kind: 'name'; name: string }
  | { kind: 'list'; items: Expression[] }
  | { kind: 'dict'; entries: [Expression, Expression][] }
  | { kind: 'attribute'; of: Expression; name: string }
  | { kind: 'item'; of: Expression; key: Expression }
  | { kind: 'slice'; of: Expression; start?: Expression; stop?: Expression; step?: Expression }
  | { kind: 'call'; callee: Expression; args: Arguments }
  | { kind: 'filter'; value: Expression; name: string; args: Arguments }
  | { kind: 'test'; value: Expression; name: string; args: Arguments; negated: boolean }
  | { kind: 'unary'; operator: '-' | '+' | 'not'; value: Expression }
  | { kind: 'binary'; operator: string; left: Expression; right: Expression }
  | { kind: 'choice'; condition: Expression; yes: Expression; no?: Expression }
  /** An expression whose value has been computed already. */
  | { kind: 'value'; value: Value }

export interface Arguments {
  positional: Expression[]
  named: [string, Expression][]
  /** `*list` and `**dict`. */
  spread?: Expression
  spreadNamed?: Expression
}

/** Where a value goes: a name, an attribute of a namespace, or several at once. */
export type Target =
  | { kind: 'name'; name: string }
  | { kind: 'attribute'; of: Expression; name: string }
  | { kind: 'item'; of: Expression; key: Expression }
  | { kind: 'several'; targets: Target[] }

export interface Parameter {
  name: string
  default?: Expression
}

export type Statement =
  | { kind: 'text'; text: string }
  | { kind: 'write'; value: Expression }
  | { kind: 'if'; branches: { condition: Expression; body: Statement[] }[]; otherwise: Statement[] }
  | {
      kind: 'for'
      target: Target
      over: Expression
      condition?: Expression
      body: Statement[]
      otherwise: Statement[]
      recursive: boolean
    }
  | { kind: 'set'; target: Target; value: Expression }
  | { kind: 'set-block'; target: Target; body: Statement[]; filters: { name: string; args: Arguments }[] }
  | { kind: 'macro'; name: string; parameters: Parameter[]; body: Statement[] }
  | { kind: 'call-block'; parameters: Parameter[]; call: Expression; body: Statement[] }
  | { kind: 'filter-block'; filters: { name: string; args: Arguments }[]; body: Statement[] }
  | { kind: 'with'; values: [Target, Expression][]; body: Statement[] }
  | { kind: 'block'; body: Statement[] }
  | { kind: 'do'; value: Expression }
  | { kind: 'break' }
  | { kind: 'continue' }

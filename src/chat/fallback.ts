import type { CallForm } from './dialect.js'

const none = { open: '', close: '' }

/** `<tool_call>{"name": "f", "arguments": {…}}</tool_call>`: the widest spread way of writing calls. */
const hermes: CallForm = {
  section: none,
  separator: '\n',
  call: {
    kind: 'object',
    open: '<tool_call>\n',
    close: '\n</tool_call>',
    list: false,
    name: ['name'],
    arguments: ['arguments'],
    id: undefined,
  },
}

/** JSON and nothing else: `{"name": "f", "parameters": {…}}`. */
const bare: CallForm = {
  section: none,
  separator: '',
  call: { kind: 'object', open: '', close: '', list: false, name: ['name'], arguments: ['parameters'], id: undefined },
}

/** `<|tool_call_start|>[f(a=1)]<|tool_call_end|>` */
export const pythonForm: CallForm = {
  section: { open: '<|tool_call_start|>[', close: ']<|tool_call_end|>' },
  separator: ', ',
  call: { kind: 'python', open: '', close: '' },
}

/** `[TOOL_CALLS][{"name": …}]` */
const list: CallForm = {
  section: none,
  separator: '',
  call: {
    kind: 'object',
    open: '[TOOL_CALLS]',
    close: '',
    list: true,
    name: ['name'],
    arguments: ['arguments'],
    id: ['id'],
  },
}

/**
 * Ways of writing calls that are tried besides the one a template shows: JSON as the whole answer with any, and the
 * common ones where it shows none. Templates of some families describe tools and never show a call.
 */
export function fallbackForms(form: CallForm | undefined): CallForm[] {
  return form ? (form.call.kind === 'object' && form.call.open === '' ? [] : [bare]) : [hermes, pythonForm, list, bare]
}

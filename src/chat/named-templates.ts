// Chat templates by llama.cpp's names, of those whose turns all look alike.

/** How a turn is written: what stands before and behind the role, and behind what is said. */
interface Turn {
  before: string
  between: string
  behind: string
  /** Whether white space around what is said falls away. */
  trims?: boolean
  /** What roles are called, where that is something else. */
  roles?: Readonly<Record<string, string>>
}

const cohere = { system: 'SYSTEM_TOKEN', user: 'USER_TOKEN', assistant: 'CHATBOT_TOKEN' }

const turns: Readonly<Record<string, Turn>> = {
  chatml: { before: '<|im_start|>', between: '\n', behind: '<|im_end|>\n' },
  'command-r': {
    ...{ before: '<|START_OF_TURN_TOKEN|><|', between: '|>', behind: '<|END_OF_TURN_TOKEN|>' },
    ...{ trims: true, roles: cohere },
  },
  falcon3: { before: '<|', between: '|>\n', behind: '\n' },
  llama3: { before: '<|start_header_id|>', between: '<|end_header_id|>\n\n', behind: '<|eot_id|>', trims: true },
  llama4: { before: '<|header_start|>', between: '<|header_end|>\n\n', behind: '<|eot|>', trims: true },
  phi3: { before: '<|', between: '|>\n', behind: '<|end|>\n' },
  phi4: { before: '<|im_start|>', between: '<|im_sep|>', behind: '<|im_end|>' },
  zephyr: { before: '<|', between: '|>\n', behind: '<|endoftext|>\n' },
}

/** The names that are known. */
export const templateNames: readonly string[] = Object.keys(turns)

/** The Jinja template of a name; undefined where that is none. */
export function namedTemplate(name: string): string | undefined {
  if (!Object.hasOwn(turns, name)) return undefined
  const { before, between, behind, trims = false, roles } = turns[name]
  const text = JSON.stringify
  const role = roles ? `${text(roles)}[message.role]` : 'message.role'
  const said = trims ? 'message.content | trim' : 'message.content'
  return [
    `{%- for message in messages -%}{{ ${text(before)} + ${role} + ${text(between)} }}{{ ${said} }}{{ ${text(behind)} }}{%- endfor -%}`,
    `{%- if add_generation_prompt -%}{{ ${text(before)} + ${text(roles?.assistant ?? 'assistant')} + ${text(between)} }}{%- endif -%}`,
  ].join('')
}

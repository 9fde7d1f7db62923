// Chat templates of families that nobody thought of: turns, thoughts, answers and calls, each written in one of several ways.

import fc from 'fast-check'

const { raw } = String
const fence = '```'

/** Text of a template that writes a literal. */
const write = (literal: string) => `{{- ${JSON.stringify(literal)} }}`

/** What stands around something. */
type Around = readonly [open: string, close: string]

const around = ([open, close]: Around, body: string) => `${write(open)}${body}${write(close)}`

/** Turns, in which `ROLE` is who speaks. */
const turns: Around[] = [
  ['<|im_start|>ROLE\n', '<|im_end|>\n'],
  ['<|ROLE|>', '<|end|>\n'],
  ['<start_of_turn>ROLE\n', '<end_of_turn>\n'],
  ['[|ROLE|]', '[|endofturn|]\n'],
  ['<|header|>ROLE<|/header|>\n\n', '<|eot|>'],
  ['<｜ROLE｜>', '<｜end▁of▁turn｜>'],
  ['ROLE<|sep|>\n', '<|over|>\n\n'],
  ['ROLE: ', '</s>\n'],
  ['### ROLE\n', '\n\n'],
]

const thoughts: Around[] = [
  ['<think>', '</think>'],
  ['<think>\n', '\n</think>\n\n'],
  ['[THINK]', '[/THINK]'],
  ['<|thought_start|>', '<|thought_end|>'],
  ['<oak:reason>\n', '\n</oak:reason>\n'],
  ['<|think:start|>\n', '\n<|think:end|>\n'],
  ['《思》', '《/思》'],
  ['<<<think>>>\n', '\n<<</think>>>\n'],
]

const answers: Around[] = [
  ['', ''],
  ['', ''],
  ['<answer>\n', '\n</answer>'],
  ['<|START_TEXT|>', '<|END_TEXT|>'],
]

/** Around all calls, and between two. */
const sections: { around: Around; between: string }[] = [
  { around: ['', ''], between: '\n' },
  { around: ['', ''], between: '' },
  { around: ['\n', ''], between: '\n' },
  { around: ['<calls>\n', '\n</calls>'], between: '\n' },
  { around: ['<|calls|>', '<|/calls|>'], between: '' },
  { around: ['\n<|calls_begin|>', '<|calls_end|>'], between: '\n' },
  { around: ['<calls>[\n  ', '\n]</calls>'], between: ',\n  ' },
  { around: ['<|calls|>[', ']'], between: ', ' },
]

const callMarkers: Around[] = [
  ['<call>', '</call>'],
  ['<call>\n', '\n</call>'],
  ['<|call|>', '<|/call|>'],
  ['<|call_start|>\n', '\n<|call_end|>'],
  ['<oak:call>', '</oak:call>'],
  [`${fence}call\n`, `\n${fence}`],
  ['@@call ', ' @@'],
  ['《用》', '《/用》'],
  ['<<CALL>> ', ' <<END>>'],
  ['Action: ', '\n'],
]

const name = `{{- c.function.name }}`
const json = `{{- c.function.arguments | tojson }}`
const args = (body: string, between = '') =>
  `{%- for k, v in c.function.arguments.items() %}${body}${between && `{%- if not loop.last %}${write(between)}{%- endif %}`}{%- endfor %}`
const bare = `{{- v if v is string else v | tojson }}`

/** A call, but for what marks it. */
const shapes: Record<string, string> = {
  object: `${write('{"name": "')}${name}${write('", "arguments": ')}${json}${write('}')}`,
  parameters: `${write('{"name": "')}${name}${write('", "parameters": ')}${json}${write('}')}`,
  'arguments first': `${write('{"arguments": ')}${json}${write(', "name": "')}${name}${write('"}')}`,
  'with an id': `${write('{"id": "')}{{- c.id }}${write('", "function": {"name": "')}${name}${write('", "arguments": ')}${json}${write('}}')}`,
  'two in one': `${write('{"type": "function", "function": {"name": "')}${name}${write('", "arguments": ')}{{- c.function.arguments | tojson | tojson }}${write('}}')}`,
  'as text': `{{- '{"name": "' + c.function.name + '", "arguments": ' + c.function.arguments + '}' }}`,
  loose: `${name}${write('{')}${args(`{{- k + ':' }}{{- v | tojson }}`, ',')}${write('}')}`,
  indented: `{{- {'name': c.function.name, 'arguments': c.function.arguments} | tojson(indent=2) }}`,
  counted: `${write('{"index": ')}{{- loop.index }}${write(', "name": "')}${name}${write('", "arguments": ')}${json}${write('}')}`,
  'counted tag': `${write('<f n="')}{{- loop.index0 }}${write('" name="')}${name}${write('">')}${json}${write('</f>')}`,
  'counted name': `${write('f.')}${name}${write(':')}{{- loop.index0 }}${write('<|args|>')}${json}`,
  'said twice': `${write('to=')}${name}${write('<|body|><f name="')}${name}${write('">')}${json}${write('</f>')}`,
  'in lines': `${name}${write('\nInput: ')}${json}`,
  'name and fence': `${name}${write(`\n${fence}json\n`)}${json}${write(`\n${fence}`)}`,
  'name and line': `${name}${write('\n')}${json}`,
  'name in tags': `${write('<name>')}${name}${write('</name>\n<arguments>')}${json}${write('</arguments>')}`,
  'name in brackets': `${name}${write('[ARGS]')}${json}`,
  parameter: `${write('<function=')}${name}${write('>\n')}${args(`${write('<parameter=')}{{- k }}${write('>\n')}${bare}${write('\n</parameter>\n')}`)}${write('</function>')}`,
  attributes: `${write('<invoke name="')}${name}${write('">\n')}${args(`${write('<parameter name="')}{{- k }}${write('">')}${bare}${write('</parameter>\n')}`)}${write('</invoke>')}`,
  'keys and values': `${name}${write('\n')}${args(`${write('<key>')}{{- k }}${write('</key>\n<value>')}${bare}${write('</value>\n')}`)}`,
  typed: `${name}${args(`${write('<|arg|>')}{{- k }}${write('<|')}{{- 'string' if v is string else 'boolean' if v is boolean else 'number' if v is number else 'object' if v is mapping else 'array' }}${write('|>')}${bare}${write('<|/arg|>')}`)}`,
  'own tags': `${write('<f name="')}${name}${write('">')}${args(`${write('<')}{{- k }}${write('>')}${bare}${write('</')}{{- k }}${write('>')}`)}${write('</f>')}`,
  python: `${name}${write('(')}${args(`{{- k + '=' + (v | tojson) }}`, ', ')}${write(')')}`,
}

/** Chat templates, with how each is put together. */
export const anyFamily: fc.Arbitrary<{ how: string; template: string }> = fc
  .record({
    turn: fc.constantFrom(...turns),
    thought: fc.option(fc.constantFrom(...thoughts)),
    /** Where there are thoughts: written in every turn, and begun in the prompt. */
    always: fc.boolean(),
    prompted: fc.boolean(),
    answer: fc.constantFrom(...answers),
    section: fc.constantFrom(...sections),
    marker: fc.constantFrom(...callMarkers),
    shape: fc.constantFrom(...Object.keys(shapes)),
  })
  .map(({ turn: [begin, end], thought, always, prompted, answer, section, marker, shape }) => {
    const [before, behind] = begin.split('ROLE')
    const said = `{%- if m.content %}${around(answer, '{{- m.content }}')}{%- endif %}`
    const thinks = thought
      ? `{%- if m.reasoning_content${always ? ' or true' : ''} %}${around(thought, "{{- m.reasoning_content or '' }}")}{%- endif %}`
      : ''
    const call = around(marker, shapes[shape])
    const calls = `{%- for c in m.tool_calls %}${call}{%- if not loop.last %}${write(section.between)}{%- endif %}{%- endfor %}`
    const called = `{%- if m.tool_calls %}${around(section.around, calls)}{%- endif %}`
    const role = `${write(before)}{{- m.role }}${write(behind)}`
    const template = raw`
      {%- if tools %}${write(`${before}system${behind}`)}{{- tools | tojson }}${write(end)}{%- endif %}
      {%- for m in messages %}${role}
        {%- if m.role == 'assistant' %}${thinks}${said}${called}
        {%- else %}{{- m.content }}{%- endif %}${write(end)}
      {%- endfor %}
      {%- if add_generation_prompt %}${write(`${before}assistant${behind}${(prompted && thought?.[0]) || ''}`)}{%- endif %}`
    const how = { turn: begin, thought, always, prompted, answer, section, marker, shape }
    return { how: JSON.stringify(how), template }
  })

// Families as their models are spoken to and write, each in a few lines, and models of theirs that follow a script.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ChatTemplate } from '../../dist/chat/template.js'

const { raw } = String
const open = '{%- if add_generation_prompt %}{{- '
const close = ' }}{%- endif %}'

/**
 * Turns in ChatML. Neither functions nor ids are shown, so that a prompt is as long whatever client sends it; thoughts
 * only where they are the last thing said.
 */
const chatml = (called) => raw`{%- for m in messages %}
  {{- '<|im_start|>' + m.role + '\n' }}
  {%- if m.reasoning_content and loop.last %}{{- '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{%- endif %}
  {{- m.content or '' }}
  {%- for c in m.tool_calls or [] %}${called}{%- endfor %}
  {{- '<|im_end|>\n' }}
{%- endfor %}${open}'<|im_start|>assistant\n'${close}`

/** What each family's template, control tokens and answers look like. */
export const families = {
  Hermes: {
    template: chatml(
      raw`{{- '<tool_call>\n{"name": "' + c.function.name + '", "arguments": ' + c.function.arguments | tojson + '}\n</tool_call>' }}`,
    ),
    markers: ['<|im_start|>', '<|im_end|>'],
    think: (text) => `<think>\n${text}\n</think>\n\n`,
    call: (name, args) => `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(args)}}\n</tool_call>`,
  },
  'Qwen3-Coder': {
    template: chatml(
      raw`{{- '<tool_call>\n<function=' + c.function.name + '>\n' }}{%- for k, v in c.function.arguments | items %}{{- '<parameter=' + k + '>\n' + (v if v is string else v | tojson) + '\n</parameter>\n' }}{%- endfor %}{{- '</function>\n</tool_call>' }}`,
    ),
    markers: ['<|im_start|>', '<|im_end|>', '<tool_call>', '</tool_call>', '<think>', '</think>'],
    think: (text) => `<think>\n${text}\n</think>\n\n`,
    call: (name, args) =>
      `<tool_call>\n<function=${name}>\n${Object.entries(args)
        .map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`)
        .join('')}</function>\n</tool_call>`,
  },
  Mistral: {
    template: raw`{%- for m in messages %}
      {%- if m.role == 'user' %}{{- '[INST]' + m.content + '[/INST]' }}
      {%- elif m.role == 'tool' %}{{- '[TOOL_RESULTS]' + m.content + '[/TOOL_RESULTS]' }}
      {%- else %}
        {%- if m.reasoning_content and loop.last %}{{- '[THINK]' + m.reasoning_content + '[/THINK]' }}{%- endif %}
        {{- m.content or '' }}
        {%- for c in m.tool_calls or [] %}{{- '[TOOL_CALLS]' + c.function.name + '[ARGS]' + c.function.arguments | tojson }}{%- endfor %}
        {{- eos_token }}
      {%- endif %}
    {%- endfor %}`,
    markers: [
      '[INST]',
      '[/INST]',
      '[TOOL_RESULTS]',
      '[/TOOL_RESULTS]',
      '[THINK]',
      '[/THINK]',
      '[TOOL_CALLS]',
      '[ARGS]',
    ],
    think: (text) => `[THINK]${text}[/THINK]`,
    call: (name, args) => `[TOOL_CALLS]${name}[ARGS]${JSON.stringify(args)}`,
  },
  'gpt-oss': {
    template: raw`{%- for m in messages %}
      {%- if m.role == 'assistant' %}
        {%- if m.thinking and (loop.last or m.tool_calls) and not add_generation_prompt %}{{- '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{%- endif %}
        {%- for c in m.tool_calls or [] %}{{- '<|start|>assistant to=functions.' + c.function.name + '<|channel|>commentary json<|message|>' + c.function.arguments | tojson + '<|call|>' }}{%- endfor %}
        {%- if not m.tool_calls %}{{- '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}{%- endif %}
      {%- else %}{{- '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{%- endif %}
    {%- endfor %}${open}'<|start|>assistant'${close}`,
    markers: ['<|start|>', '<|end|>', '<|message|>', '<|channel|>', '<|constrain|>', '<|call|>', '<|return|>'],
    think: (text) => `<|channel|>analysis<|message|>${text}<|end|><|start|>assistant`,
    call: (name, args) =>
      `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${JSON.stringify(args)}`,
    say: (text) => `<|channel|>final<|message|>${text}`,
  },
  DeepSeek: {
    template: raw`{%- for m in messages %}
      {%- if m.role == 'user' %}{{- '<｜User｜>' + m.content }}
      {%- elif m.role == 'tool' %}{{- '<｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜>' }}
      {%- else %}{{- '<｜Assistant｜>' }}
        {%- if m.reasoning_content and loop.last %}{{- '<think>' + m.reasoning_content + '</think>' }}{%- endif %}
        {{- m.content or '' }}
        {%- if m.tool_calls %}{{- '<｜tool▁calls▁begin｜>' }}
          {%- for c in m.tool_calls %}{{- '<｜tool▁call▁begin｜>' + c.function.name + '<｜tool▁sep｜>' + c.function.arguments | tojson + '<｜tool▁call▁end｜>' }}{%- endfor %}
          {{- '<｜tool▁calls▁end｜>' }}
        {%- endif %}
        {{- '<｜end▁of▁sentence｜>' }}
      {%- endif %}
    {%- endfor %}${open}'<｜Assistant｜><think>'${close}`,
    markers: [
      ...['<｜User｜>', '<｜Assistant｜>', '<｜end▁of▁sentence｜>', '<｜tool▁output▁begin｜>', '<｜tool▁output▁end｜>'],
      ...[
        '<｜tool▁calls▁begin｜>',
        '<｜tool▁calls▁end｜>',
        '<｜tool▁call▁begin｜>',
        '<｜tool▁call▁end｜>',
        '<｜tool▁sep｜>',
      ],
    ],
    think: (text) => `${text}</think>`,
    call: (name, args) =>
      `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>${name}<｜tool▁sep｜>${JSON.stringify(args)}<｜tool▁call▁end｜><｜tool▁calls▁end｜>`,
  },
  Gemma: {
    template: raw`{%- macro value(v) %}{%- if v is string %}{{- '<|"|>' + v + '<|"|>' }}{%- else %}{{- v | tojson }}{%- endif %}{%- endmacro %}
      {%- for m in messages %}{{- '<|turn>' + m.role + '\n' }}
      {%- if m.reasoning_content and loop.last %}{{- '<|channel>thought\n' + m.reasoning_content + '\n<channel|>' }}{%- endif %}
      {{- m.content or '' }}
      {%- for c in m.tool_calls or [] %}{{- '<|tool_call>call:' + c.function.name + '{' }}
        {%- for k, v in c.function.arguments | items %}{{- k + ':' + value(v) }}{%- if not loop.last %},{%- endif %}{%- endfor %}
        {{- '}<tool_call|>' }}
      {%- endfor %}
      {{- '<turn|>\n' }}
    {%- endfor %}${open}'<|turn>assistant\n'${close}`,
    markers: ['<|turn>', '<turn|>', '<|channel>', '<channel|>', '<|tool_call>', '<tool_call|>', '<|"|>'],
    think: (text) => `<|channel>thought\n${text}\n<channel|>`,
    call: (name, args) =>
      `<|tool_call>call:${name}{${Object.entries(args)
        .map(([key, value]) => `${key}:${typeof value === 'string' ? `<|"|>${value}<|"|>` : value}`)
        .join(',')}}<tool_call|>`,
  },
  LFM2: {
    template: chatml(
      raw`{%- if loop.first %}{{- '<|tool_call_start|>[' }}{%- else %}{{- ', ' }}{%- endif %}{{- c.function.name + '(' }}{%- for k, v in c.function.arguments | items %}{{- k + '=' + v | tojson }}{%- if not loop.last %}{{- ', ' }}{%- endif %}{%- endfor %}{{- ')' }}{%- if loop.last %}{{- ']<|tool_call_end|>' }}{%- endif %}`,
    ),
    markers: ['<|im_start|>', '<|im_end|>', '<|tool_call_start|>', '<|tool_call_end|>'],
    think: (text) => `<think>\n${text}\n</think>\n\n`,
    call: (name, args) =>
      `<|tool_call_start|>[${name}(${Object.entries(args)
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join(', ')})]<|tool_call_end|>`,
  },
}

/** Writes a model of a family that answers conversations as scripts say: `[messages, answer]`. */
export async function writeFamily(folder, { template, markers }, scripts) {
  const { writeScriptModel } = await helpers(folder)
  const rendered = new ChatTemplate(template, { bos: '<eos>', eos: '<eos>' })
  const file = path.join(folder, 'script.gguf')
  writeScriptModel(file, {
    template,
    markers,
    scripts: scripts.map(([messages, answer]) => ({ prompt: rendered.render({ messages }).text, answer })),
  })
  return file
}

/** The helpers of the repository's tests, which are TypeScript. */
async function helpers(folder) {
  const { ModuleKind, ScriptTarget, transpileModule } = createRequire(import.meta.url)('../../node_modules/typescript')
  const compiled = path.join(folder, 'helpers')
  mkdirSync(compiled, { recursive: true })
  writeFileSync(path.join(compiled, 'package.json'), '{ "type": "module" }')
  for (const name of ['gguf', 'random-weights', 'script-model']) {
    const source = readFileSync(new URL(`../helpers/${name}.ts`, import.meta.url), 'utf8')
    const { outputText } = transpileModule(source, {
      compilerOptions: { module: ModuleKind.ESNext, target: ScriptTarget.ES2023 },
    })
    writeFileSync(path.join(compiled, `${name}.js`), outputText)
  }
  return import(pathToFileURL(path.join(compiled, 'script-model.js')))
}

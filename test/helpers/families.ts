// Chat templates of made-up families.

const { raw } = String
const fence = '```'

const when = (condition: string, body: string, otherwise = '') =>
  `{%- if ${condition} %}${body}${otherwise && `{%- else %}${otherwise}`}{%- endif %}`

const each = (loop: string, body: string, between = '') =>
  `{%- for ${loop} %}${body}${between && when('not loop.last', `{{- '${between}' }}`)}{%- endfor %}`

/** What a template writes: first of all, where there are tools, for each message `m`, and where the assistant is to speak. */
interface Writing {
  begin?: string
  tools: string
  message: string
  prompt: string
}

const template = ({ begin = '', tools, message, prompt }: Writing) =>
  begin + when('tools', tools) + each('m in messages', message) + when('add_generation_prompt', prompt)

/** A message by who writes it; `other`: anyone else. */
function byRole({ other, ...roles }: Record<string, string>): string {
  const known = Object.entries(roles).map(([role, body]) => `if m.role == '${role}' %}${body}`)
  return `{%- ${known.join('{%- el')}${other === undefined ? '' : `{%- else %}${other}`}{%- endif %}`
}

/** What was said, if anything. */
const said = when('m.content', '{{- m.content }}')

/** The calls `c` of a message, one after the other; the arguments `k`, `v` of one. */
const calls = (body: string, between = '') => each('c in m.tool_calls or []', body, between)
const args = (body: string, between = '') => each('k, v in c.function.arguments.items()', body, between)

/** A call as Python writes it. */
const python = raw`
  {{- c.function.name + '(' }}
  ${args(`{{- k + '=' + (v | tojson) }}`, ', ')}
  {{- ')' }}`

/** The turns of ChatML, where all but the assistant's and those of tools are alike. */
const chatMl = ({ tools, tool, assistant }: { tools?: string; tool: string; assistant: string }) =>
  template({
    tools: tools ?? raw`{{- '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}`,
    message: byRole({
      tool,
      assistant: raw`{{- '<|im_start|>assistant' }} ${assistant} {{- '<|im_end|>\n' }}`,
      other: raw`{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}`,
    }),
    prompt: raw`{{- '<|im_start|>assistant\n' }}`,
  })

/**
 * Chat templates of made-up families, each with a way of writing of its own: what real ones do, in other words and fewer.
 * None is named anywhere else; all that is known of them has to come from here.
 */
export const families: Record<string, string> = {
  'action markers': template({
    begin: '{{ bos_token }}',
    tools: raw`{{- '<|im_start|>system name=<|plugin|>\n' + tools | tojson + '<|im_end|>\n' }}`,
    message: byRole({
      tool: raw`{{- '<|im_start|>environment name=<|plugin|>\n' + m.content + '<|im_end|>\n' }}`,
      other: raw`
        {{- '<|im_start|>' + m.role + '\n' }}
        ${said}
        ${calls(raw`{{- '<|action_start|><|plugin|>\n{"name": "' + c.function.name + '", "parameters": ' + (c.function.arguments | tojson) + '}<|action_end|>' }}`)}
        {{- '<|im_end|>\n' }}`,
    }),
    prompt: raw`{{- '<|im_start|>assistant\n' }}`,
  }),
  'answer tags': template({
    begin: `{{ '<|startoftext|>' }}`,
    tools: `{{- tools | tojson + '<|extra_4|>' }}`,
    message: byRole({
      user: `{{- m.content + '<|extra_0|>' }}`,
      system: `{{- m.content + '<|extra_4|>' }}`,
      tool: `{{- '<tool_responses><tool_response>' + m.content + '</tool_response></tool_responses><|extra_0|>' }}`,
      other: raw`
        ${when(
          'm.reasoning_content',
          raw`{{- '<think>\n' + m.reasoning_content + '\n</think>\n' }}`,
          raw`{{- '<think>\n\n</think>\n' }}`,
        )}
        {{- '<answer>\n' }}
        ${said}
        ${when(
          'm.tool_calls',
          raw`
          {{- '<tool_calls>' }}
          ${calls(raw`{{- '<tool_call>' + c.function.name + '\n${fence}json\n' + (c.function.arguments | tojson) + '\n${fence}</tool_call>' }}`)}
          {{- '</tool_calls>' }}`,
        )}
        {{- '\n</answer><|eos|>' }}`,
    }),
    prompt: when('enable_thinking is defined and not enable_thinking', raw`{{- '<think>\n\n</think>\n' }}`),
  }),
  'response tags': template({
    tools: raw`{{- '<|system|>\n' + tools | tojson + '<|end|>\n' }}`,
    message: byRole({
      tool: raw`{{- '<|im_start|>tool\n<tool_output>\n' + m.content + '\n</tool_output>\n<|im_end|>\n\n' }}`,
      assistant: raw`
        {{- '<|im_start|>assistant\n' }}
        ${when('loop.last or m.tool_calls', raw`{{- '<think>\n' + (m.reasoning_content or '') + '\n</think>\n\n' }}`)}
        ${when('m.content', raw`{{- '<response>\n' + m.content + '\n</response>\n' }}`)}
        ${calls(raw`{{- '\n<tool_call>\n{"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}\n</tool_call>\n' }}`)}
        {{- '<|im_end|>\n\n' }}`,
      other: raw`{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n\n' }}`,
    }),
    prompt: raw`{{- '<|im_start|>assistant\n<think>\n' }}`,
  }),
  'turns in brackets': template({
    tools: raw`{{- '[|system|]\n' + tools | tojson + '[|endofturn|]\n' }}`,
    message: byRole({
      tool: raw`{{- '[|tool|]\n<tool_result>' + m.content + '</tool_result>[|endofturn|]\n' }}`,
      assistant: raw`
        {{- '[|assistant|]\n' }}
        ${when(
          'm.reasoning_content and loop.last',
          raw`{{- '<think>\n' + m.reasoning_content.strip() + '\n</think>\n\n' }}`,
          raw`{{- '<think>\n\n</think>\n\n' }}`,
        )}
        {{- m.content or '' }}
        ${calls(
          raw`{{- '<tool_call>' + ({'name': c.function.name, 'arguments': c.function.arguments} | tojson) + '</tool_call>' }}`,
          raw`\n`,
        )}
        {{- '[|endofturn|]\n' }}`,
      other: raw`{{- '[|' + m.role + '|]\n' + m.content + '[|endofturn|]\n' }}`,
    }),
    prompt: raw`
      {{- '[|assistant|]\n' }}
      ${when(
        'enable_thinking is defined and enable_thinking is true',
        raw`{{- '<think>\n' }}`,
        raw`{{- '<think>\n\n</think>\n\n' }}`,
      )}`,
  }),
  'names as keys': template({
    begin: '{{ bos_token }}',
    tools: `{{- '<|developer_start|>' + tools | tojson + '<|developer_end|>' }}`,
    message: byRole({
      user: `{{- '<|user_start|>' + m.content + '<|user_end|>' }}`,
      system: `{{- '<|system_start|>' + m.content + '<|system_end|>' }}`,
      tool: `{{- '[' + m.content + ']' }}`,
      other: `
        {{- '<|assistant_start|>' }}
        ${when('m.reasoning_content', `{{- '<|inner_prefix|>' + m.reasoning_content + '<|inner_suffix|>' }}`)}
        ${said}
        ${when(
          'm.tool_calls',
          `
          {{- '<|tools_prefix|>[' }}
          ${calls(`{{- '{"' + c.function.name + '": ' + (c.function.arguments | tojson) + '}' }}`, ', ')}
          {{- ']<|tools_suffix|>' }}`,
          `{{- '<|assistant_end|>' }}`,
        )}`,
    }),
    prompt: `{{- '<|assistant_start|>' }}`,
  }),
  'Python in tags': chatMl({
    tools: raw`{{- '<|im_start|>system\n<functions>' + tools | tojson + '</functions><|im_end|>\n' }}`,
    tool: raw`{{- '<|im_start|>environment\n' + m.content + '<|im_end|>\n' }}`,
    assistant: raw`
      {{- '\n' + (m.content or '') }}
      ${when('m.tool_calls', raw`{{- '<function_calls>' }} ${calls(python, raw`\n`)} {{- '</function_calls>' }}`)}`,
  }),
  'Python alone': template({
    begin: '{{- bos_token }}',
    tools: raw`{{- '<|start_header_id|>system<|end_header_id|>\n\n' + tools | tojson + '<|eot_id|>' }}`,
    message: byRole({
      tool: raw`{{- '<|start_header_id|>ipython<|end_header_id|>\n\n' + m.content + '<|eot_id|>' }}`,
      other: raw`
        {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}
        ${when('m.tool_calls', `{{- '[' }} ${calls(python, ', ')} {{- ']' }}`, '{{- m.content }}')}
        {{- '<|eot_id|>' }}`,
    }),
    prompt: raw`{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}`,
  }),
  'whole objects': template({
    tools: when(`messages[0].role != 'system'`, `{{- '<|system|><|tool|>' + tools | tojson + '<|/tool|><|end|>' }}`),
    message: byRole({
      system: `
        {{- '<|system|>' + m.content }}
        ${when('tools', `{{- '<|tool|>' + tools | tojson + '<|/tool|>' }}`)}
        {{- '<|end|>' }}`,
      user: `{{- '<|user|>' + m.content + '<|end|>' }}`,
      tool: `{{- '<|tool_response|>' + m.content + '<|end|>' }}`,
      assistant: `
        {{- '<|assistant|>' + (m.content or '') }}
        ${when('m.tool_calls', `{{- '<|tool_call|>' + (m.tool_calls | tojson) + '<|/tool_call|>' }}`)}
        {{- '<|end|>' }}`,
    }),
    prompt: `{{- '<|assistant|>' }}`,
  }),
  'functions in tags': template({
    tools: raw`{{- '<oak:bos>system\n' + tools | tojson + '<oak:eos>' }}`,
    message: byRole({
      assistant: raw`
        {{- '<oak:bos>assistant' }}
        ${when(
          'm.reasoning_content is defined and m.reasoning_content is string and m.reasoning_content | trim | length > 0',
          raw`{{- '\n<oak:think>' + m.reasoning_content | trim + '</oak:think>' }}`,
        )}
        ${when(
          'm.content is defined and m.content is string and m.content | trim | length > 0',
          raw`{{- '\n' + m.content | trim + '\n' }}`,
        )}
        ${calls(raw`
          {%- set f = c.function %}
          {{- '\n<oak:tool_call>\n<function=' + f.name + '>\n' }}
          ${each(
            'k, v in f.arguments | items',
            raw`{{- '<parameter=' + k + '>' + (v if v is string else v | tojson) + '</parameter>\n' }}`,
          )}
          {{- '</function>\n</oak:tool_call>' }}`)}
        {{- '<oak:eos>' }}`,
      other: raw`{{- '<oak:bos>' + m.role + '\n' + m.content + '<oak:eos>' }}`,
    }),
    prompt: raw`
      {{- '<oak:bos>assistant\n' }}
      ${when(
        'thinking_budget is defined and thinking_budget == 0',
        raw`{{- '<oak:think><oak:cot_budget_reflect>The current thinking budget is 0, so I will directly start answering the question.</oak:cot_budget_reflect>\n</oak:think>' }}`,
      )}`,
  }),
  invocations: template({
    begin: raw`{{- ']~!b[]~b]system\nYou are a helpful assistant.' }}
      {%- set ns = namespace(last=-1) %}
      ${each('m in messages', when(`m.role == 'user'`, '{%- set ns.last = loop.index0 %}'))}`,
    tools: raw`{{- '\n<tools>' + tools | tojson + '</tools>' }}`,
    message: raw`
      ${when('loop.first', raw`{{- '[e~[\n' }}`)}
      ${byRole({
        assistant: raw`
          {{- ']~b]ai\n' }}
          ${when(
            'm.reasoning_content and loop.index0 > ns.last',
            raw`{{- '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}`,
          )}
          ${said}
          ${when(
            'm.tool_calls',
            raw`
            {{- '\n<elm:tool_call>\n' }}
            ${calls(raw`
              {{- '<invoke name="' + c.function.name + '">\n' }}
              ${args(raw`
                {{- '<parameter name="' + k + '">' }}
                {{- v | tojson(ensure_ascii=False) if v is not string else v }}
                {{- '</parameter>\n' }}`)}
              {{- '</invoke>\n' }}`)}
            {{- '</elm:tool_call>' }}`,
          )}
          {{- '[e~[\n' }}`,
        tool: raw`{{- ']~b]tool\n<response>' + m.content + '</response>[e~[\n' }}`,
        user: raw`{{- ']~b]user\n' + m.content + '[e~[\n' }}`,
      })}`,
    prompt: raw`{{- ']~b]ai\n<think>\n' }}`,
  }),
  'keys and values in tags': template({
    tools: raw`{{- '# Tools\n' + tools | tojson + '\n\n' }}`,
    message: byRole({
      user: `{{- '[Round ' ~ loop.index0 ~ '] USER:' + m.content }}`,
      system: `{{- 'SYSTEM:' + m.content }}`,
      tool: `{{- 'TOOL:' + m.content }}`,
      other: raw`
        {{- ' ASSISTANT:' }}
        ${when('m.reasoning_content', raw`{{- '<fox_think>\n' + m.reasoning_content + '\n</fox_think>\n' }}`)}
        ${said}
        ${calls(raw`
          {{- '<fox_tool_call>' + c.function.name + '\n' }}
          ${args(raw`{{- '<fox_arg_key>' + k + '</fox_arg_key>\n<fox_arg_value>' + (v if v is string else v | tojson) + '</fox_arg_value>\n' }}`)}
          {{- '</fox_tool_call>\n' }}`)}
        {{- '</fox_s>' }}`,
    }),
    prompt: `{{- ' ASSISTANT:' }}`,
  }),
  attributes: chatMl({
    tool: raw`{{- '<|im_start|>tool\n' + m.content + '<|im_end|>\n' }}`,
    assistant: raw`
      {{- '\n' + (m.content or '') }}
      ${calls(`
        {{- '<function_call name="' + c.function.name + '">' }}
        ${args(`{{- '<arg name="' + k + '">' + (v if v is string else v | tojson) + '</arg>' }}`)}
        {{- '</function_call>' }}`)}`,
  }),
  'ids and names': template({
    tools: raw`{{- '<|system|>\n' + tools | tojson + '<|end|>\n' }}`,
    message: raw`
      {{- '<|' + m.role + '|>\n' + (m.content or '') }}
      ${when(
        'm.tool_calls',
        `
        {{- '<|calls|>' }}
        ${calls(`{{- '<|call id="' + c.id + '" name="' + c.function.name + '"|>' + (c.function.arguments | tojson) + '<|/call|>' }}`)}
        {{- '<|/calls|>' }}`,
      )}
      {{- '<|end|>\n' }}`,
    prompt: raw`{{- '<|assistant|>\n' }}`,
  }),
  recipients: template({
    tools: `{{- '<|sys|>' + tools | tojson + '<|eom|>' }}`,
    message: byRole({
      assistant: raw`
        ${when('m.reasoning_content', raw`{{- '<|assistant|>think\n' + m.reasoning_content + '<|eom|>' }}`)}
        ${when('m.content', raw`{{- '<|assistant|>say\n' + m.content + '<|eom|>' }}`)}
        ${calls(raw`{{- '<|assistant|>call:' + c.function.name + '\n' + (c.function.arguments | tojson) + '<|eom|>' }}`)}`,
      other: `{{- '<|' + m.role + '|>' + m.content + '<|eom|>' }}`,
    }),
    prompt: `{{- '<|assistant|>' }}`,
  }),
  'recipients said twice': template({
    tools: `{{- '<|from|>system<|body|>' + tools | tojson + '<|over|>' }}`,
    message: byRole({
      assistant: raw`
        ${when('m.reasoning_content', `{{- '<|from|>helper to=me<|body|>' + m.reasoning_content + '<|next|>' }}`)}
        ${when('m.content', `{{- '<|from|>helper to=you<|body|>' + m.content + ('<|next|>' if m.tool_calls else '<|over|>') }}`)}
        ${calls(raw`
          {{- '<|from|>helper to=' + c.function.name + '<|body|><oak:calls>
<oak:invoke name="' + c.function.name + '">
' }}
          ${args(raw`{{- '<oak:parameter name="' + k + '">' + (v if v is string else v | tojson) + '</oak:parameter>
' }}`)}
          {{- '</oak:invoke>
</oak:calls>' + ('<|over|>' if loop.last else '<|next|>') }}`)}`,
      other: `{{- '<|from|>' + m.role + '<|body|>' + m.content + '<|over|>' }}`,
    }),
    prompt: `{{- '<|from|>helper' }}`,
  }),
  'tags of control tokens': template({
    tools: `{{- '<|open|>message role="system"<|gap|>' + tools | tojson + '<|close|>message<|gap|><|over|>' }}`,
    message: raw`
      {{- '<|open|>message role="' + m.role + '"<|gap|>' }}
      ${byRole({
        assistant: `
          {{- '<|open|>muse<|gap|>' + (m.reasoning_content or '') + '<|close|>muse<|gap|>' }}
          {{- '<|open|>say<|gap|>' + (m.content or '') + '<|close|>say<|gap|>' }}
          ${when(
            'm.tool_calls',
            `
            {{- '<|open|>calls<|gap|>' }}
            ${calls(`
              {{- '<|open|>call tool="' + c.function.name + '" index="' ~ loop.index ~ '"<|gap|>' }}
              ${args(`
                {%- set type = 'boolean' if v is boolean else 'string' if v is string else 'number' if v is number else 'object' if v is mapping else 'array' %}
                {{- '<|open|>argument key="' + k + '" type="' + type + '"<|gap|>' }}
                {{- (v if v is string else v | tojson) + '<|close|>argument<|gap|>' }}`)}
              {{- '<|close|>call<|gap|>' }}`)}
            {{- '<|close|>calls<|gap|>' }}`,
          )}`,
        other: '{{- m.content }}',
      })}
      {{- '<|close|>message<|gap|><|over|>' }}`,
    prompt: `{{- '<|open|>message role="assistant"<|gap|><|open|>muse<|gap|>' }}`,
  }),
  'Python in a fence': chatMl({
    tool: raw`{{- '<|im_start|>tool
' + m.content + '<|im_end|>
' }}`,
    assistant: raw`
      {{- '
' }}
      ${when(
        'm.tool_calls',
        raw`{{- '<|calls|>
${fence}python
' }} ${calls(
          python.replace(`', '`, `','`),
          raw`
`,
        )} {{- '
${fence}
<|/calls|>
' }}`,
      )}
      ${said}`,
  }),
  'lists on many lines': chatMl({
    tool: raw`{{- '<|im_start|>tool
' + m.content + '<|im_end|>
' }}`,
    assistant: raw`
      {{- '
' + (m.content or '') }}
      ${when(
        'm.tool_calls and m.content',
        raw`{{- '
' }}`,
      )}
      ${when(
        'm.tool_calls',
        raw`
        {{- '<|do|>[

    ' }}
        ${calls(
          `{{- '{"call": ' ~ loop.index0 ~ ', "tool": "' + c.function.name + '", "with": ' + (c.function.arguments | tojson) + '}' }}`,
          raw`,

    `,
        )}
        {{- '

]<|done|>' }}`,
      )}`,
  }),
  'calls as messages': template({
    tools: raw`{{- 'developer system<|role_sep|>\n' + tools | tojson + '<|message_sep|>\n\n' }}`,
    message: byRole({
      tool: raw`{{- 'function result<|role_sep|>\n' + m.content + '<|message_sep|>\n\n' }}`,
      other: raw`
        {{- m.role + '<|role_sep|>\n' + (m.content or '') }}
        ${calls(raw`{{- '<|message_sep|>\n\nfunction call<|role_sep|>\n' + ({'name': c.function.name, 'arguments': c.function.arguments} | tojson) }}`)}
        {{- '<|message_sep|>\n\n' }}`,
    }),
    prompt: raw`{{- 'assistant<|role_sep|>\n' }}`,
  }),
  'code fences': template({
    begin: '{{ bos_token }}',
    tools: '{{- tools | tojson }}',
    message: byRole({
      user: `{{- '<｜User｜>' + m.content }}`,
      assistant: when(
        'm.tool_calls',
        raw`
        {{- '<｜Assistant｜>' + (m.content or '') + '<｜tool▁calls▁begin｜>' }}
        ${calls(
          raw`{{- '<｜tool▁call▁begin｜>' + c.type + '<｜tool▁sep｜>' + c.function.name + '\n${fence}json\n' + (c.function.arguments if c.function.arguments is string else c.function.arguments | tojson) + '\n${fence}<｜tool▁call▁end｜>' }}`,
          raw`\n`,
        )}
        {{- '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}`,
        `{{- '<｜Assistant｜>' + m.content + '<｜end▁of▁sentence｜>' }}`,
      ),
      tool: `{{- '<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜><｜tool▁outputs▁end｜>' }}`,
      other: '{{- m.content }}',
    }),
    prompt: `{{- '<｜Assistant｜>' }}`,
  }),
  'text arguments': template({
    tools: raw`{{- '<|system|>\n' + tools | tojson + '<|end|>\n' }}`,
    message: raw`
      {{- '<|' + m.role + '|>\n' + (m.content or '') }}
      ${calls(raw`{{- '<|tool_call|>\n{"name": "' + c.function.name + '", "arguments": ' + c.function.arguments + ', "id": "' + c.id + '"}\n<|/tool_call|>' }}`)}
      {{- '<|end|>\n' }}`,
    prompt: raw`{{- '<|assistant|>\n' }}`,
  }),
  'lists on lines': template({
    begin: '{{ bos_token }}',
    tools: raw`{{- '<|bom|><|system|> # Tools\n' + tools | tojson + '<|eom|>' }}`,
    message: raw`
      {{- '<|bom|><|' + m.role + '|> ' }}
      ${said}
      ${when(
        'm.tool_calls',
        raw`
        {{- '<tool_calls>[\n' }}
        ${calls(
          `{{- '    {"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}' }}`,
          raw`,\n`,
        )}
        {{- '\n]</tool_calls>' }}`,
      )}
      {{- '<|eom|>' }}`,
    prompt: `{{- '<|bom|><|assistant|> ' }}`,
  }),
  'objects in tags': chatMl({
    tool: raw`{{- '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}`,
    assistant: raw`
      ${when('m.reasoning_content', raw`{{- '\n<think>\n' + m.reasoning_content + '\n</think>' }}`)}
      ${when('m.content', raw`{{- '\n' + m.content }}`)}
      ${calls(raw`
        {{- '\n<tool_call>\n{"name": "' + c.function.name + '", "arguments": ' }}
        ${when('c.function.arguments is string', '{{- c.function.arguments }}', '{{- c.function.arguments | tojson }}')}
        {{- '}\n</tool_call>' }}`)}`,
  }),
}

const { raw } = String
const fence = '```'

/**
 * Chat templates of made-up families, each with a way of writing of its own: what real ones do, in other words and fewer.
 * None is named anywhere else; all that is known of them has to come from here.
 */
export const families: Record<string, string> = {
  'action markers': raw`
    {{ bos_token }}
    {%- if tools %}
    {{- '<|im_start|>system name=<|plugin|>\n' + tools | tojson + '<|im_end|>\n' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '<|im_start|>environment name=<|plugin|>\n' + m.content + '<|im_end|>\n' }}
    {%- else %}
    {{- '<|im_start|>' + m.role + '\n' }}
    {%- if m.content %}
    {{- m.content }}
    {%- endif %}
    {%- if m.tool_calls %}
    {%- for c in m.tool_calls %}
    {{- '<|action_start|><|plugin|>\n{"name": "' + c.function.name + '", "parameters": ' + (c.function.arguments | tojson) + '}<|action_end|>' }}
    {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- endif %}`.trim(),
  'answer tags': raw`
    {{ '<|startoftext|>' }}
    {%- if tools %}
    {{- tools | tojson + '<|extra_4|>' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'user' %}
    {{- m.content + '<|extra_0|>' }}
    {%- elif m.role == 'system' %}
    {{- m.content + '<|extra_4|>' }}
    {%- elif m.role == 'tool' %}
    {{- '<tool_responses><tool_response>' + m.content + '</tool_response></tool_responses><|extra_0|>' }}
    {%- else %}
    {%- if m.reasoning_content %}
    {{- '<think>\n' + m.reasoning_content + '\n</think>\n' }}
    {%- else %}
    {{- '<think>\n\n</think>\n' }}
    {%- endif %}
    {{- '<answer>\n' }}
    {%- if m.content %}
    {{- m.content }}
    {%- endif %}
    {%- if m.tool_calls %}
    {{- '<tool_calls>' }}
    {%- for c in m.tool_calls %}
    {{- '<tool_call>' + c.function.name + '\n${fence}json\n' + (c.function.arguments | tojson) + '\n${fence}</tool_call>' }}
    {%- endfor %}
    {{- '</tool_calls>' }}
    {%- endif %}
    {{- '\n</answer><|eos|>' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt and enable_thinking is defined and not enable_thinking %}
    {{- '<think>\n\n</think>\n' }}
    {%- endif %}`.trim(),
  'response tags': raw`
    {%- if tools %}
    {{- '<|system|>\n' + tools | tojson + '<|end|>\n' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '<|im_start|>tool\n<tool_output>\n' + m.content + '\n</tool_output>\n<|im_end|>\n\n' }}
    {%- elif m.role == 'assistant' %}
    {{- '<|im_start|>assistant\n' }}
    {%- if loop.last or m.tool_calls %}
    {{- '<think>\n' + (m.reasoning_content or '') + '\n</think>\n\n' }}
    {%- endif %}
    {%- if m.content %}
    {{- '<response>\n' + m.content + '\n</response>\n' }}
    {%- endif %}
    {%- for c in m.tool_calls or [] %}
    {{- '\n<tool_call>\n{"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}\n</tool_call>\n' }}
    {%- endfor %}
    {{- '<|im_end|>\n\n' }}
    {%- else %}
    {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n<think>\n' }}
    {%- endif %}`.trim(),
  'turns in brackets': raw`
    {%- if tools %}
    {{- '[|system|]\n' + tools | tojson + '[|endofturn|]\n' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '[|tool|]\n<tool_result>' + m.content + '</tool_result>[|endofturn|]\n' }}
    {%- elif m.role == 'assistant' %}
    {{- '[|assistant|]\n' }}
    {%- if m.reasoning_content and loop.last %}
    {{- '<think>\n' + m.reasoning_content.strip() + '\n</think>\n\n' }}
    {%- else %}
    {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
    {{- m.content or '' }}
    {%- for c in m.tool_calls or [] %}
    {{- '<tool_call>' + ({'name': c.function.name, 'arguments': c.function.arguments} | tojson) + '</tool_call>' }}
    {%- if not loop.last %}
    {{- '\n' }}
    {%- endif %}
    {%- endfor %}
    {{- '[|endofturn|]\n' }}
    {%- else %}
    {{- '[|' + m.role + '|]\n' + m.content + '[|endofturn|]\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '[|assistant|]\n' }}
    {%- if enable_thinking is defined and enable_thinking is true %}
    {{- '<think>\n' }}
    {%- else %}
    {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
    {%- endif %}`.trim(),
  'names as keys': raw`
    {{ bos_token }}
    {%- if tools %}
    {{- '<|developer_start|>' + tools | tojson + '<|developer_end|>' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'user' %}
    {{- '<|user_start|>' + m.content + '<|user_end|>' }}
    {%- elif m.role == 'system' %}
    {{- '<|system_start|>' + m.content + '<|system_end|>' }}
    {%- elif m.role == 'tool' %}
    {{- '[' + m.content + ']' }}
    {%- else %}
    {{- '<|assistant_start|>' }}
    {%- if m.reasoning_content %}
    {{- '<|inner_prefix|>' + m.reasoning_content + '<|inner_suffix|>' }}
    {%- endif %}
    {%- if m.content %}
    {{- m.content }}
    {%- endif %}
    {%- if m.tool_calls %}
    {{- '<|tools_prefix|>[' }}
    {%- for c in m.tool_calls %}
    {{- '{"' + c.function.name + '": ' + (c.function.arguments | tojson) + '}' }}
    {%- if not loop.last %}
    {{- ', ' }}
    {%- endif %}
    {%- endfor %}
    {{- ']<|tools_suffix|>' }}
    {%- else %}
    {{- '<|assistant_end|>' }}
    {%- endif %}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|assistant_start|>' }}
    {%- endif %}`.trim(),
  'Python in tags': raw`
    {%- if tools %}
    {{- '<|im_start|>system\n<functions>' + tools | tojson + '</functions><|im_end|>\n' }}{% endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '' }}
    {{- '<|im_start|>environment\n' + m.content + '<|im_end|>\n' }}
    {%- elif m.role == 'assistant' %}
    {{- '' }}
    {{- '<|im_start|>assistant\n' + (m.content or '') }}
    {%- if m.tool_calls %}
    {{- '<function_calls>' }}
    {%- for c in m.tool_calls %}
    {{- c.function.name + '(' }}
    {%- for k, v in c.function.arguments.items() %}
    {{- k + '=' + (v | tojson) }}
    {%- if not loop.last %}
    {{- ', ' }}
    {%- endif %}
    {%- endfor %}
    {{- ')' }}
    {%- if not loop.last %}
    {{- '\n' }}
    {%- endif %}
    {%- endfor %}
    {{- '</function_calls>' }}
    {%- endif %}
    {{- '<|im_end|>\n' }}
    {%- else %}
    {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '' }}
    {{- '<|im_start|>assistant\n' }}
    {%- endif %}`.trim(),
  'Python alone': raw`
    {{- bos_token }}
    {%- if tools %}
    {{- '<|start_header_id|>system<|end_header_id|>\n\n' + tools | tojson + '<|eot_id|>' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '<|start_header_id|>ipython<|end_header_id|>\n\n' + m.content + '<|eot_id|>' }}
    {%- else %}
    {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}
    {%- if m.tool_calls %}
    {{- '[' }}
    {%- for c in m.tool_calls %}
    {{- c.function.name + '(' }}
    {%- for k, v in c.function.arguments | items %}
    {{- k + '=' + (v | tojson) }}
    {%- if not loop.last %}
    {{- ', ' }}
    {%- endif %}
    {%- endfor %}
    {{- ')' }}
    {%- if not loop.last %}
    {{- ', ' }}
    {%- endif %}
    {%- endfor %}
    {{- ']' }}
    {%- else %}
    {{- m.content }}
    {%- endif %}
    {{- '<|eot_id|>' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
    {%- endif %}`.trim(),
  'whole objects': raw`
    {%- for m in messages %}
    {%- if m.role == 'system' or (loop.first and tools) %}
    {%- if m.role == 'system' %}
    {{- '<|system|>' + m.content }}
    {%- if tools %}
    {{- '<|tool|>' + tools | tojson + '<|/tool|>' }}
    {%- endif %}
    {{- '<|end|>' }}
    {%- else %}
    {{- '<|system|><|tool|>' + tools | tojson + '<|/tool|><|end|>' }}
    {%- endif %}
    {%- endif %}
    {%- if m.role == 'user' %}
    {{- '<|user|>' + m.content + '<|end|>' }}
    {%- elif m.role == 'tool' %}
    {{- '<|tool_response|>' + m.content + '<|end|>' }}
    {%- elif m.role == 'assistant' %}
    {{- '<|assistant|>' + (m.content or '') }}
    {%- if m.tool_calls %}
    {{- '<|tool_call|>' + (m.tool_calls | tojson) + '<|/tool_call|>' }}
    {%- endif %}
    {{- '<|end|>' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- endif %}`.trim(),
  'functions in tags': raw`
    {%- if tools %}
    {{- '<oak:bos>system\n' + tools | tojson + '<oak:eos>' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'assistant' %}
    {{- '<oak:bos>assistant' }}
    {%- if m.reasoning_content is defined and m.reasoning_content is string and m.reasoning_content | trim | length > 0 %}
    {{- '\n<oak:think>' + m.reasoning_content | trim + '</oak:think>' }}
    {%- endif %}
    {%- if m.content is defined and m.content is string and m.content | trim | length > 0 %}
    {{- '\n' + m.content | trim + '\n' }}
    {%- endif %}
    {%- for c in m.tool_calls or [] %}
    {%- set f = c.function %}
    {{- '\n<oak:tool_call>\n<function=' + f.name + '>\n' }}
    {%- for k, v in f.arguments | items %}
    {{- '<parameter=' + k + '>' + (v if v is string else v | tojson) + '</parameter>\n' }}
    {%- endfor %}
    {{- '</function>\n</oak:tool_call>' }}
    {%- endfor %}
    {{- '<oak:eos>' }}
    {%- else %}
    {{- '<oak:bos>' + m.role + '\n' + m.content + '<oak:eos>' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<oak:bos>assistant\n' }}
    {%- if thinking_budget is defined and thinking_budget == 0 %}
    {{- '<oak:think><oak:cot_budget_reflect>The current thinking budget is 0, so I will directly start answering the question.</oak:cot_budget_reflect>\n</oak:think>' }}
    {%- endif %}
    {%- endif %}`.trim(),
  invocations: raw`
    {{- ']~!b[]~b]system\nYou are a helpful assistant.' }}
    {%- if tools %}
    {{- '\n<tools>' + tools | tojson + '</tools>' }}
    {%- endif %}
    {{- '[e~[\n' }}
    {%- set ns = namespace(last=-1) %}
    {%- for m in messages %}
    {%- if m.role == 'user' %}
    {%- set ns.last = loop.index0 %}
    {%- endif %}
    {%- endfor %}
    {%- for m in messages %}
    {%- if m.role == 'assistant' %}
    {{- ']~b]ai\n' }}
    {%- if m.reasoning_content and loop.index0 > ns.last %}
    {{- '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}
    {%- endif %}
    {%- if m.content %}
    {{- m.content }}
    {%- endif %}
    {%- if m.tool_calls %}
    {{- '\n<elm:tool_call>\n' }}
    {%- for c in m.tool_calls %}
    {{- '<invoke name="' + c.function.name + '">\n' }}
    {%- for k, v in c.function.arguments.items() %}
    {{- '<parameter name="' + k + '">' }}
    {{- v | tojson(ensure_ascii=False) if v is not string else v }}
    {{- '</parameter>\n' }}
    {%- endfor %}
    {{- '</invoke>\n' }}
    {%- endfor %}
    {{- '</elm:tool_call>' }}
    {%- endif %}
    {{- '[e~[\n' }}
    {%- elif m.role == 'tool' %}
    {{- ']~b]tool\n<response>' + m.content + '</response>[e~[\n' }}
    {%- elif m.role == 'user' %}
    {{- ']~b]user\n' + m.content + '[e~[\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- ']~b]ai\n<think>\n' }}
    {%- endif %}`.trim(),
  'keys and values in tags': raw`
    {%- if tools %}
    {{- '# Tools\n' + tools | tojson + '\n\n' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'user' %}
    {{- '[Round ' ~ loop.index0 ~ '] USER:' + m.content }}
    {%- elif m.role == 'system' %}
    {{- 'SYSTEM:' + m.content }}
    {%- elif m.role == 'tool' %}
    {{- 'TOOL:' + m.content }}
    {%- else %}
    {{- ' ASSISTANT:' }}
    {%- if m.reasoning_content %}
    {{- '<fox_think>\n' + m.reasoning_content + '\n</fox_think>\n' }}
    {%- endif %}
    {%- if m.content %}
    {{- m.content }}
    {%- endif %}
    {%- for c in m.tool_calls or [] %}
    {{- '<fox_tool_call>' + c.function.name + '\n' }}
    {%- for k, v in c.function.arguments.items() %}
    {{- '<fox_arg_key>' + k + '</fox_arg_key>\n<fox_arg_value>' + (v if v is string else v | tojson) + '</fox_arg_value>\n' }}
    {%- endfor %}
    {{- '</fox_tool_call>\n' }}
    {%- endfor %}
    {{- '</fox_s>' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- ' ASSISTANT:' }}
    {%- endif %}`.trim(),
  attributes: raw`
    {%- if tools %}
    {{- '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}{% endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '' }}
    {{- '<|im_start|>tool\n' + m.content + '<|im_end|>\n' }}
    {%- elif m.role == 'assistant' %}
    {{- '' }}
    {{- '<|im_start|>assistant\n' + (m.content or '') }}
    {%- for c in m.tool_calls or [] %}
    {{- '<function_call name="' + c.function.name + '">' }}
    {%- for k, v in c.function.arguments.items() %}
    {{- '<arg name="' + k + '">' + (v if v is string else v | tojson) + '</arg>' }}
    {%- endfor %}
    {{- '</function_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
    {%- else %}
    {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '' }}
    {{- '<|im_start|>assistant\n' }}
    {%- endif %}`.trim(),
  'ids and names': raw`
    {%- if tools %}
    {{- '<|system|>\n' + tools | tojson + '<|end|>\n' }}
    {%- endif %}
    {%- for m in messages %}
    {{- '<|' + m.role + '|>\n' + (m.content or '') }}
    {%- if m.tool_calls %}
    {{- '<|calls|>' }}
    {%- for c in m.tool_calls %}
    {{- '<|call id="' + c.id + '" name="' + c.function.name + '"|>' + (c.function.arguments | tojson) + '<|/call|>' }}
    {%- endfor %}
    {{- '<|/calls|>' }}
    {%- endif %}
    {{- '<|end|>\n' }}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
    {%- endif %}`.trim(),
  recipients: raw`
    {%- if tools %}
    {{- '<|sys|>' + tools | tojson + '<|eom|>' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'assistant' %}
    {%- if m.reasoning_content %}
    {{- '<|assistant|>think\n' + m.reasoning_content + '<|eom|>' }}
    {%- endif %}
    {%- if m.content %}
    {{- '<|assistant|>say\n' + m.content + '<|eom|>' }}
    {%- endif %}
    {%- for c in m.tool_calls or [] %}
    {{- '<|assistant|>call:' + c.function.name + '\n' + (c.function.arguments | tojson) + '<|eom|>' }}
    {%- endfor %}
    {%- else %}
    {{- '<|' + m.role + '|>' + m.content + '<|eom|>' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
    {%- endif %}`.trim(),
  'calls as messages': raw`
    {%- if tools %}
    {{- 'developer system<|role_sep|>\n' + tools | tojson + '<|message_sep|>\n\n' }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'assistant' and m.tool_calls %}
    {{- 'assistant<|role_sep|>\n' + (m.content or '') }}
    {%- for c in m.tool_calls %}
    {{- '<|message_sep|>\n\nfunction call<|role_sep|>\n' + ({'name': c.function.name, 'arguments': c.function.arguments} | tojson) }}
    {%- endfor %}
    {{- '<|message_sep|>\n\n' }}
    {%- elif m.role == 'tool' %}
    {{- 'function result<|role_sep|>\n' + m.content + '<|message_sep|>\n\n' }}
    {%- else %}
    {{- m.role + '<|role_sep|>\n' + m.content + '<|message_sep|>\n\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- 'assistant<|role_sep|>\n' }}
    {%- endif %}`.trim(),
  'code fences': raw`
    {{ bos_token }}
    {%- if tools %}
    {{- tools | tojson }}
    {%- endif %}
    {%- for m in messages %}
    {%- if m.role == 'user' %}
    {{- '<｜User｜>' + m.content }}
    {%- elif m.role == 'assistant' and m.tool_calls %}
    {{- '<｜Assistant｜>' + (m.content or '') + '<｜tool▁calls▁begin｜>' }}
    {%- for c in m.tool_calls %}
    {%- if not loop.first %}
    {{- '\n' }}
    {%- endif %}
    {{- '<｜tool▁call▁begin｜>' + c.type + '<｜tool▁sep｜>' + c.function.name + '\n${fence}json\n' + (c.function.arguments if c.function.arguments is string else c.function.arguments | tojson) + '\n${fence}<｜tool▁call▁end｜>' }}
    {%- endfor %}
    {{- '<｜tool▁calls▁end｜><｜end▁of▁sentence｜>' }}
    {%- elif m.role == 'assistant' %}
    {{- '<｜Assistant｜>' + m.content + '<｜end▁of▁sentence｜>' }}
    {%- elif m.role == 'tool' %}
    {{- '<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜><｜tool▁outputs▁end｜>' }}
    {%- else %}
    {{- m.content }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<｜Assistant｜>' }}
    {%- endif %}`.trim(),
  'text arguments': raw`
    {%- if tools %}
    {{- '<|system|>\n' + tools | tojson + '<|end|>\n' }}
    {%- endif %}
    {%- for m in messages %}
    {{- '<|' + m.role + '|>\n' + (m.content or '') }}
    {%- for c in m.tool_calls or [] %}
    {{- '<|tool_call|>\n{"name": "' + c.function.name + '", "arguments": ' + c.function.arguments + ', "id": "' + c.id + '"}\n<|/tool_call|>' }}
    {%- endfor %}
    {{- '<|end|>\n' }}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|assistant|>\n' }}
    {%- endif %}`.trim(),
  'lists on lines': raw`
    {{ bos_token }}
    {%- if tools %}
    {{- '<|bom|><|system|> # Tools\n' + tools | tojson + '<|eom|>' }}
    {%- endif %}
    {%- for m in messages %}
    {{- '<|bom|><|' + m.role + '|> ' }}
    {%- if m.content %}
    {{- m.content }}
    {%- endif %}
    {%- if m.tool_calls %}
    {{- '<tool_calls>[\n' }}
    {%- for c in m.tool_calls %}
    {{- '    {"name": "' + c.function.name + '", "arguments": ' + (c.function.arguments | tojson) + '}' }}
    {%- if not loop.last %}
    {{- ',\n' }}
    {%- endif %}
    {%- endfor %}
    {{- '\n]</tool_calls>' }}
    {%- endif %}
    {{- '<|eom|>' }}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '<|bom|><|assistant|> ' }}
    {%- endif %}`.trim(),
  'objects in tags': raw`
    {%- if tools %}
    {{- '<|im_start|>system\n' + tools | tojson + '<|im_end|>\n' }}{% endif %}
    {%- for m in messages %}
    {%- if m.role == 'tool' %}
    {{- '' }}
    {{- '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}
    {%- elif m.role == 'assistant' %}
    {{- '' }}
    {{- '<|im_start|>assistant' }}
    {%- if m.reasoning_content %}
    {{- '\n<think>\n' + m.reasoning_content + '\n</think>' }}
    {%- endif %}
    {%- if m.content %}
    {{- '\n' + m.content }}
    {%- endif %}
    {%- for c in m.tool_calls or [] %}
    {{- '\n<tool_call>\n{"name": "' + c.function.name + '", "arguments": ' }}
    {%- if c.function.arguments is string %}
    {{- c.function.arguments }}
    {%- else %}
    {{- c.function.arguments | tojson }}
    {%- endif %}
    {{- '}\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
    {%- else %}
    {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
    {%- endif %}
    {%- endfor %}
    {%- if add_generation_prompt %}
    {{- '' }}
    {{- '<|im_start|>assistant\n' }}
    {%- endif %}`.trim(),
}

/** One message of a conversation. */
export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | (string & {})
  /** Its text; `null` or missing if an assistant only called tools. */
  content?: string | readonly ContentPart[] | null | undefined
  /** What the assistant thought before it answered; templates show it to models that are trained to see it. */
  reasoning_content?: string | null | undefined
  /** The calls an assistant made. */
  tool_calls?: readonly ToolCall[] | null | undefined
  /** Of a tool's message: the call it answers. */
  tool_call_id?: string | undefined
  /** Of a tool's message: the name of the function. */
  name?: string | undefined
  [field: string]: unknown
}

/** A part of a message's text. */
export interface ContentPart {
  type: string
  text?: string
  [field: string]: unknown
}

/** A function call made by the model. */
export interface ToolCall {
  id: string
  type: 'function'
  function: {
    name: string
    /** JSON, exactly as the model wrote it. */
    arguments: string
  }
}

/** A function the model may call, as OpenAI describes it. */
export interface ToolDefinition {
  type: 'function'
  function: {
    name: string
    description?: string | null
    /** JSON schema of its arguments. */
    parameters?: Record<string, unknown> | null
    /** Whether arguments must match the schema. */
    strict?: boolean | null
  }
}

/** An assistant's message in its three parts. */
export interface AssistantMessage {
  content: string
  /** Thoughts, without their markers; empty if there are none. */
  reasoning: string
  toolCalls: ToolCall[]
}

/** What is added to a message: text to append to a part, or a call that begins or continues. */
export type MessageDelta =
  | { type: 'content'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: 'call'; index: number; id: string; name: string }
  | { type: 'arguments'; index: number; text: string }

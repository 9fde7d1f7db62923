/** One message of a conversation, as templates take it. */
export interface ChatMessage {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | (string & {})
  /** Its text; null or left out where an assistant only called tools. */
  content?: string | readonly ContentPart[] | null | undefined
  /** What the assistant thought before it spoke; templates show it to the model where it was made to see it. */
  reasoning_content?: string | null | undefined
  tool_calls?: readonly ToolCall[] | null | undefined
  /** The call a tool's message answers. */
  tool_call_id?: string | undefined
  name?: string | undefined
  [field: string]: unknown
}

/** A part of a message's text. */
export interface ContentPart {
  type: string
  text?: string
  [field: string]: unknown
}

/** A call of a function the model wants made. */
export interface ToolCall {
  id: string
  type: 'function'
  function: {
    name: string
    /** JSON as the model wrote it, to the letter. */
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
    /** Whether arguments must keep to the schema. */
    strict?: boolean | null
  }
}

/** What an answer says, in its three parts. */
export interface AssistantMessage {
  content: string
  /** Thoughts, without their markers; empty where there were none. */
  reasoning: string
  toolCalls: ToolCall[]
}

/** What became certain of a message: text to append to a part, or a call that begins or goes on. */
export type MessageDelta =
  | { type: 'content'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: 'call'; index: number; id: string; name: string }
  | { type: 'arguments'; index: number; text: string }

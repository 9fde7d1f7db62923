import { Template } from '@huggingface/jinja'
import { LlamaError } from './error.js'

/** One message of a conversation. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | 'tool' | (string & {})
  content: string
  [field: string]: unknown
}

/** A retrieved document, as Hugging Face templates name its parts. */
export interface TemplateDocument {
  title: string
  text: string
}

/** What a template may refer to. */
export interface TemplateInput {
  messages: ChatMessage[]
  documents?: TemplateDocument[]
  tools?: unknown[]
  /** Text of the BOS and EOS tokens. */
  bosToken: string
  eosToken: string
}

/** The Jinja chat template of a model. */
export class ChatTemplate {
  /** Whether the template renders `documents` itself. */
  readonly rendersDocuments: boolean
  /** Whether the template knows `tools`. */
  readonly rendersTools: boolean
  readonly #template: Template

  /** @throws LlamaError `template-failed` if the source does not parse */
  constructor(source: string) {
    this.rendersDocuments = /\bdocuments\b/.test(source)
    this.rendersTools = /\btools\b/.test(source)
    try {
      this.#template = new Template(source)
    } catch (error) {
      throw new LlamaError('template-failed', `the model's chat template does not parse: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  /** The prompt text, up to where the assistant begins to speak. @throws LlamaError `template-failed` */
  render({ messages, documents, tools, bosToken, eosToken }: TemplateInput): string {
    try {
      return this.#template.render({
        messages,
        ...(documents && { documents }),
        ...(tools && { tools }),
        bos_token: bosToken,
        eos_token: eosToken,
        add_generation_prompt: true,
      })
    } catch (error) {
      throw new LlamaError(
        'template-failed',
        `the model's chat template refused this conversation: ${(error as Error).message}`,
        { cause: error },
      )
    }
  }
}

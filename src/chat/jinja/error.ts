/** What went wrong in a template: it does not parse, it refused its input, or it used up its budget. */
export class JinjaError extends Error {
  override readonly name = 'JinjaError'
  /** `syntax`: the source does not parse. `render`: it failed while rendering. `raised`: it called `raise_exception`. `budget`: it took too long. */
  readonly code: 'syntax' | 'render' | 'raised' | 'budget'

  constructor(code: JinjaError['code'], message: string) {
    super(message)
    this.code = code
  }
}

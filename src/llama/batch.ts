/**
 * The tokens of one forward, in the arrays that llama.cpp reads.
 *
 *     row        0       1       2       3
 *     token     the    quick   brown    red
 *     position   7       8       9       9        siblings share a position
 *     sequences  0,1     0,1     0       1        a node belongs to every branch that runs through it
 *     output     -       yes     yes     yes      whether the row's logits are wanted
 *
 * A row attends to the cells of its *first* sequence at positions up to its own; that is tree attention.
 */
export class Batch {
  /** Most rows of one forward. */
  readonly capacity: number
  /** Most sequences a row may belong to. */
  readonly maxSequences: number
  readonly tokens: Int32Array
  readonly positions: Int32Array
  readonly sequenceCounts: Int32Array
  /** `maxSequences` places per row. */
  readonly sequences: Int32Array
  readonly outputs: Int8Array
  /** For each row with an output: its index among the outputs. */
  readonly outputRows: Int32Array
  /** Rows in use. */
  size = 0
  /** Rows in use whose logits are wanted. */
  outputCount = 0

  constructor(capacity: number, maxSequences: number) {
    this.capacity = capacity
    this.maxSequences = maxSequences
    this.tokens = new Int32Array(capacity)
    this.positions = new Int32Array(capacity)
    this.sequenceCounts = new Int32Array(capacity)
    this.sequences = new Int32Array(capacity * maxSequences)
    this.outputs = new Int8Array(capacity)
    this.outputRows = new Int32Array(capacity)
  }

  clear(): void {
    this.size = 0
    this.outputCount = 0
  }

  /** Appends a row that belongs to no sequence yet and returns its index; {@link addSequence} must follow. */
  add(token: number, position: number, output: boolean): number {
    const row = this.size
    if (row >= this.capacity) throw new RangeError(`Batch: full at ${this.capacity} rows`)
    this.tokens[row] = token
    this.positions[row] = position
    this.sequenceCounts[row] = 0
    this.outputs[row] = output ? 1 : 0
    if (output) this.outputRows[row] = this.outputCount++
    this.size = row + 1
    return row
  }

  /** Makes a row part of a sequence. The first one given decides what the row attends to. */
  addSequence(row: number, sequence: number): void {
    const count = this.sequenceCounts[row]
    if (count >= this.maxSequences) throw new RangeError(`Batch: row ${row} is full at ${this.maxSequences} sequences`)
    this.sequences[row * this.maxSequences + count] = sequence
    this.sequenceCounts[row] = count + 1
  }
}

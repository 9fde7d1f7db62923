/** The tensors of a model with random weights, as they are added; the weights are made when they are written. */
import { TENSOR_TYPES, type TensorSource, type TensorType } from './gguf.js'
import { Random, randomRows } from './random-weights.js'

/** Each with a random sequence of its own. */
export class Tensors {
  readonly sources: TensorSource[] = []
  readonly #seed: number
  readonly #type: (tensor: string) => TensorType

  constructor({ seed, type }: { seed: number; type: TensorType | ((tensor: string) => TensorType) }) {
    this.#seed = seed
    this.#type = typeof type === 'string' ? () => type : type
  }

  /** Weights of the wanted type. */
  matrix(
    stem: string,
    columns: number,
    rows: number,
    deviation: number | ((row: number) => number),
    matrices?: number,
  ): void {
    const name = `${stem}.weight`
    const wanted = this.#type(name)
    const type = columns % TENSOR_TYPES[wanted].elements === 0 ? wanted : 'F16'
    const ofRow = typeof deviation === 'number' ? () => deviation : deviation
    // Several matrices, one per expert or head, lie one behind the other.
    const shape = matrices ? [columns, rows, matrices] : [columns, rows]
    const data = () => randomRows(type, shape, new Random(this.#seed, name), ofRow)
    this.sources.push({ name, type, shape, data })
  }

  /** Numbers between `low` and `high`; always F32, as llama.cpp wants whatever is no matrix to multiply with. */
  uniform(name: string, shape: number[], low: number, high: number): void {
    this.#floats(name, shape, (random) => low + (high - low) * random)
  }

  /** Weights of an RMS norm. */
  norm(stem: string, length: number, size = 1): void {
    this.uniform(`${stem}.weight`, [length], 0.8 * size, 1.2 * size)
  }

  signs(name: string, length: number): void {
    this.#floats(name, [length], (random) => (random < 0.5 ? -1 : 1))
  }

  /** A matrix that takes the first `rows` of `columns` numbers. */
  selection(name: string, columns: number, rows: number): void {
    const data = () => {
      const values = new Float32Array(columns * rows)
      for (let row = 0; row < rows; row++) values[row * columns + row] = 1
      return [new Uint8Array(values.buffer)]
    }
    this.sources.push({ name, type: 'F32', shape: [columns, rows], data })
  }

  /** Adds what begins with one name under another too, weights and all. */
  copy(prefix: string, target: string): void {
    for (const source of [...this.sources])
      if (source.name.startsWith(prefix))
        this.sources.push({ ...source, name: `${target}${source.name.slice(prefix.length)}` })
  }

  #floats(name: string, shape: number[], value: (random: number) => number): void {
    const data = () => {
      const random = new Random(this.#seed, name)
      const length = shape.reduce((product, n) => product * n, 1)
      return [new Uint8Array(Float32Array.from({ length }, () => value(random.next())).buffer)]
    }
    this.sources.push({ name, type: 'F32', shape, data })
  }
}

// A prompt in a file: its tokens and their cells.

import { createHash, randomUUID } from 'node:crypto'
import { open, rename, unlink } from 'node:fs/promises'

const mark = 'LKpt'
const digestBytes = 32
/** Mark, identity, number of tokens, bytes of a block. */
const headBytes = mark.length + digestBytes + 4 + 4

/** A prompt whose beginning has been read: whole blocks of it. */
export interface SavedPrompt {
  tokens: Int32Array
  /** The cells of its blocks. */
  blocks: readonly Uint8Array[]
}

/** Why a file is not a prompt that this model can continue. */
export type PromptFault = 'foreign' | 'damaged'

/**
 * Writes a prompt to a file, readable by its owner only; it gets its name once it is complete.
 *
 *     ┌──────┬──────────┬────────┬─────────────┬──────────┬─────────┬─────┬───────────────────┐
 *     │ LKpt │ identity │ tokens │ block bytes │ tokens … │ block 0 │  …  │ SHA-256 of it all │
 *     └──────┴──────────┴────────┴─────────────┴──────────┴─────────┴─────┴───────────────────┘
 *
 * @param identity identifies everything besides its tokens that the numbers in a block depend on
 * @returns bytes of the file
 * @throws the system's error
 */
export async function writePrompt(path: string, identity: string, { tokens, blocks }: SavedPrompt): Promise<number> {
  const head = Buffer.alloc(headBytes)
  head.write(mark, 'latin1')
  digestOf(identity).copy(head, mark.length)
  head.writeUInt32LE(tokens.length, headBytes - 8)
  head.writeUInt32LE(blocks[0]?.byteLength ?? 0, headBytes - 4)
  const hash = createHash('sha256')
  const part = `${path}.${randomUUID()}.part`
  const file = await open(part, 'w', 0o600)
  let bytes = 0
  const write = async (piece: Uint8Array) => {
    bytes += piece.byteLength
    await file.writeFile(piece)
  }
  try {
    for (const piece of [head, new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength), ...blocks]) {
      hash.update(piece)
      await write(piece)
    }
    await write(hash.digest())
    await file.close()
    await rename(part, path)
    return bytes
  } catch (error) {
    await file.close().catch(() => {})
    await unlink(part).catch(() => {})
    throw error
  }
}

/**
 * Reads what {@link writePrompt} wrote. Nothing is read into memory before its size is known to fit.
 *
 * @param blockTokens tokens of a block
 * @param blockBytes bytes of one
 * @param mostTokens most tokens a prompt may have
 * @throws the system's error
 */
export async function readPrompt(
  path: string,
  identity: string,
  blockTokens: number,
  blockBytes: number,
  mostTokens: number,
): Promise<(SavedPrompt & { bytes: number }) | PromptFault> {
  const file = await open(path, 'r')
  try {
    const hash = createHash('sha256')
    const take = async (bytes: number) => {
      const piece = new Uint8Array(bytes)
      let filled = 0
      while (filled < bytes) {
        const { bytesRead } = await file.read(piece, filled, bytes - filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return piece
    }
    const { size } = await file.stat()
    const head = Buffer.from(await take(headBytes))
    if (head.toString('latin1', 0, mark.length) !== mark) return 'foreign'
    if (!head.subarray(mark.length, mark.length + digestBytes).equals(digestOf(identity))) return 'foreign'
    const count = head.readUInt32LE(headBytes - 8)
    const blockCount = count / blockTokens
    if (count > mostTokens || !Number.isInteger(blockCount) || head.readUInt32LE(headBytes - 4) !== blockBytes)
      return 'foreign'
    if (size !== headBytes + 4 * count + blockCount * blockBytes + digestBytes) return 'damaged'
    hash.update(head)
    const ids = await take(4 * count)
    hash.update(ids)
    const blocks: Uint8Array[] = []
    for (let i = 0; i < blockCount; i++) {
      blocks.push(await take(blockBytes))
      hash.update(blocks[i])
    }
    if (!hash.digest().equals(await take(digestBytes))) return 'damaged'
    return { tokens: new Int32Array(ids.buffer), blocks, bytes: size }
  } finally {
    await file.close()
  }
}

function digestOf(identity: string): Buffer {
  return createHash('sha256').update(identity).digest()
}

/** Bytes of the typed arrays in the public fields of an object, and of those given besides. */
export function columnBytes(holder: object, ...besides: ArrayBufferView[]): number {
  let bytes = 0
  for (const field of [...Object.values(holder), ...besides]) if (ArrayBuffer.isView(field)) bytes += field.byteLength
  return bytes
}

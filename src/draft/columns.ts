/** Bytes of the typed arrays that stand in the fields of some objects. */
export function columnBytes(...holders: object[]): number {
  let bytes = 0
  for (const holder of holders)
    for (const field of Object.values(holder)) if (ArrayBuffer.isView(field)) bytes += field.byteLength
  return bytes
}

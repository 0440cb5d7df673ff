/** A copy with twice the room. */
export function doubled<T extends Uint8Array | Uint32Array | Int32Array | Float32Array | Float64Array>(array: T): T {
  const larger = new (array.constructor as new (length: number) => T)(2 * array.length);
  larger.set(array);
  return larger;
}

import { type Machine, machine } from './machine.ts';
import { imageAddon, isAbsent } from './native.ts';

/*
 * V8 counts what arrays hold outside its heap, and goes over the whole heap whenever that has grown by about half of the heap: for a loader, of which all but its batches
 * fits into 22 MB, at two of three batches of 64 pictures, 25 ms a time. Here arrays that come and go are taken out of its count, as long as there are not many of them: so it
 * collects when it would for a heap that is larger by so much.
 *
 * When such an array has gone, V8 subtracts its bytes before we hear of it, and at the end of a thread we hear nothing. Its count may not fall below nothing: the V8 of
 * Node 26 ends the process then. So what was uncounted at the most stays in the count for good, as a reserve.
 */

/** Of all arrays that are alive and not counted, in this thread. */
let uncountedBytes = 0;
/** The most that they had so far. */
let reserve = 0;
let most: number | undefined;
let adjust: (bytes: number) => unknown = () => {};

/** Bytes; what is smaller costs more to follow than it saves. */
const least = 2 ** 12;

/** Bytes in which a page of 2 MiB surely lies. */
const leastLarge = 2 ** 22;

const collected = new FinalizationRegistry<number>((bytes) => {
  uncountedBytes -= bytes;
  // It has subtracted them itself.
  adjust(bytes);
});

/** Bytes of arrays of a thread that V8 need not know of: a sixteenth of the memory, and no more than 192 MiB. */
export function uncountedMost({ memory }: Pick<Machine, 'memory'> = machine()): number {
  return Math.min(192 * 2 ** 20, Math.floor(memory / 16));
}

/**
 * Takes the memory of a new array out of V8's count, while all such arrays have `uncountedMost` at most, and gives the array: what they have beyond the most of before
 * goes into the reserve, so it is counted once. Without native/image it does nothing. To be called once for an array that has its memory to itself.
 */
export function uncounted<A extends { readonly buffer: ArrayBufferLike }>(array: A): A {
  const { buffer } = array;
  const bytes = buffer.byteLength;
  most ??= begin();
  if (bytes < least || uncountedBytes + bytes > most) return array;
  uncountedBytes += bytes;
  const before = reserve;
  reserve = Math.max(reserve, uncountedBytes);
  adjust(reserve - before - bytes);
  collected.register(buffer, bytes);
  return array;
}

function begin(): number {
  const addon = imageAddon();
  if (isAbsent(addon) || addon.adjustMemory === undefined) return 0;
  adjust = addon.adjustMemory;
  return uncountedMost();
}

/**
 * Asks the system for pages of 2 MiB below memory that is new and large, and gives the memory: reading and writing it misses the processor's table of addresses
 * less often, and it takes fewer faults to fill. Without native/image it does nothing.
 */
export function inLargePages<M extends Uint8Array>(memory: M): M {
  if (memory.byteLength < leastLarge) return memory;
  const addon = imageAddon();
  if (!isAbsent(addon)) addon.largePages?.(memory);
  return memory;
}

import zlib from 'node:zlib';
import slow from 'crc-32';
import { imageAddon, isAbsent } from '../../native.ts';

type Checksum = (bytes: Uint8Array, before: number) => number;

let fastest: Checksum | undefined;

/**
 * CRC-32, as zlib and PNG have it, of `bytes`; `before` is that of what lies in front of them. An integer from 0 to 2³² − 1. By native/image where the
 * processor has instructions for it (twice to eight times as fast as zlib), else by Node's zlib, which the first releases of Node 20 have not, else in JavaScript.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  fastest ??= choose();
  return fastest(bytes, before);
}

/** The ways there are on this machine, the fastest first. */
export function checksums(): readonly Checksum[] {
  const addon = imageAddon();
  const { crc32: folding, crc32Ways: foldings } = isAbsent(addon) ? {} : addon;
  const native = Array.from({ length: foldings?.() ?? 0 }, (_, slower): Checksum => {
    return (bytes, before) => folding!(bytes, before, slower);
  });
  const { crc32: quick } = zlib as { crc32?: Checksum };
  const plain: Checksum = (bytes, before) => slow.buf(bytes, before) >>> 0;
  return [...native, ...(quick === undefined ? [] : [quick]), plain];
}

function choose(): Checksum {
  return checksums()[0]!;
}

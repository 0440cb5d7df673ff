import zlib from 'node:zlib';
import slow from 'crc-32';

/** Not in the first releases of Node 20. */
const quick = (zlib as { crc32?: (data: Uint8Array, before?: number) => number }).crc32;

/** CRC-32, as zlib and PNG have it, of `bytes`; `before` is that of what lies in front of them. An integer from 0 to 2³² − 1. */
export const crc32: (bytes: Uint8Array, before?: number) => number =
  quick ?? ((bytes, before = 0) => slow.buf(bytes, before) >>> 0);

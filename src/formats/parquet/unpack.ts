import { brotliDecompressSync, unzipSync } from 'node:zlib';
import type { CompressionCodec } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { counted } from '../../counts.ts';

/**
 * The bytes of a page. Ours are those whose end the package's do not look for: a gzip or an LZ4 page that ends early would come out filled up with zeros.
 *
 * @param length of the page unpacked, as its header says. @throws an Error where it is another, and where the packed bytes are damaged or end early
 */
export function unpacked(codec: CompressionCodec, bytes: Uint8Array, length: number): Uint8Array {
  const page = (unpackers[codec] ?? compressors[codec])?.(bytes, length);
  if (page?.length !== length) throw new Error(`a page of ${counted(length, 'byte')}, packed as ${codec}`);
  return page;
}

type Unpack = (bytes: Uint8Array, length: number) => Uint8Array;

const unpackers: Partial<Record<CompressionCodec, Unpack>> = {
  GZIP: (bytes, length) => unzipSync(bytes, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, length) }),
  LZ4: (bytes, length) => framed(bytes, length) ?? block(bytes, length),
  LZ4_RAW: block,
};

/** LZ4 as Hadoop writes it: blocks, each behind its unpacked and its packed length. Nothing where the lengths are not such. */
function framed(bytes: Uint8Array, length: number): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks: Uint8Array[] = [];
  let left = length;
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) return undefined;
    const [own, packed] = [view.getUint32(at), view.getUint32(at + 4)];
    at += 8 + packed;
    if (own > left || at > bytes.length) return undefined;
    left -= own;
    blocks.push(block(bytes.subarray(at - packed, at), own));
  }
  return left === 0 ? Buffer.concat(blocks) : undefined;
}

/** A block of LZ4: literal bytes and repetitions of what came before, by turns, with literals at the end. Source: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
function block(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let [at, to] = [0, 0];
  const byte = () => {
    if (at >= bytes.length) throw new Error('a page of LZ4 that ends early');
    return bytes[at++]!;
  };
  const lengthOf = (half: number) => {
    let sum = half;
    for (let next = half === 15 ? 255 : 0; next === 255; sum += next) next = byte();
    return sum;
  };
  while (at < bytes.length) {
    const token = byte();
    const literals = lengthOf(token >> 4);
    if (at + literals > bytes.length) throw new Error('a page of LZ4 that ends early');
    if (to + literals > length) throw new Error('a page of LZ4 that is too long');
    out.set(bytes.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === bytes.length) break;
    const back = byte() | (byte() << 8);
    if (back === 0 || back > to) throw new Error('a page of LZ4 that repeats what is not there');
    const repeated = 4 + lengthOf(token & 15);
    if (to + repeated > length) throw new Error('a page of LZ4 that is too long');
    // What is repeated may overlap what it makes.
    if (back >= repeated) out.copyWithin(to, to - back, to - back + repeated);
    else for (let i = 0; i < repeated; i++) out[to + i] = out[to + i - back]!;
    to += repeated;
  }
  return out.subarray(0, to);
}

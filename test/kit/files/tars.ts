import { Pax } from 'tar';
import { blockBytes, padded } from '../../../src/formats/tar/entries.ts';
import { TarPieces, tarEnd } from '../../../src/formats/tar/write.ts';

const nothing: Buffer = Buffer.alloc(0);

/** A file of a tar as we write it. */
export const tarFile = (name: string, bytes: Uint8Array): readonly Uint8Array[] => new TarPieces().of([[name, bytes]]);

/** One entry of a tar, of any type. */
export function entry(
  name: string,
  type: string,
  { bytes = nothing, link = '' }: { bytes?: Buffer; link?: string } = {},
): Buffer {
  const size = bytes.length;
  const block = Buffer.alloc(blockBytes);
  block.write(name, 0, 100, 'latin1');
  block.write('0000644\0', 100, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write(type, 156, 'latin1');
  block.write(link, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  mendTar(block);
  return Buffer.concat([block, bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]);
}

/** The same with its size in base 256, as GNU's tar writes those of 8 GiB and more. */
function entryOf256(name: string, bytes: Buffer): Buffer {
  const whole = entry(name, '0', { bytes });
  whole.fill(0, 124, 136);
  whole[124] = 0x80;
  whole.writeUInt32BE(bytes.length, 132);
  mendTar(whole);
  return whole;
}

/**
 * Tars of many makes: labels and fields, long names in pax and GNU headers, sizes in base 256, links, and files with holes. Their
 * pictures are all the JPEG given.
 */
export function tarSeeds(jpeg: Buffer): Buffer[] {
  const long = `${'folder/'.repeat(30)}c.jpg`;
  const plain = [
    ...tarFile('a.jpg', jpeg),
    ...tarFile('a.cls', Buffer.from('1')),
    ...tarFile('a.json', Buffer.from('{"box":[1,2,3,4]}')),
    ...tarFile('dir/b.jpg', jpeg),
    ...tarFile('dir/b.cls', Buffer.from('2')),
  ];
  const gnu = [
    entry('././@LongLink', 'L', { bytes: Buffer.from(`${long}\0`) }),
    entry(long.slice(0, 100), '0', { bytes: jpeg }),
    entryOf256('d.jpg', jpeg),
    entryOf256('d.cls', Buffer.from('3')),
  ];
  const linked = [
    entry('e.jpg', '0', { bytes: jpeg }),
    entry('f.jpg', '1', { link: 'e.jpg' }),
    entry('g.jpg', '2', { link: '../../e.jpg' }),
    entry('././@LongLink', 'K', { bytes: Buffer.from(`/${long}\0`) }),
    entry('h.jpg', '2', { link: `/${long.slice(0, 90)}` }),
    entry('folder/', '5'),
    entry('pipe.jpg', '6'),
  ];
  const global = [
    new Pax({ comment: 'all of them' } as never, true).encode(),
    new Pax({ path: '../../up.jpg' }).encode(),
  ];
  const holes = [entry('s.jpg', 'S', { bytes: jpeg })];
  const named = [paxOf({ 'GNU.sparse.major': '1', 'GNU.sparse.name': 't.jpg' }), entry('t.jpg', '0', { bytes: jpeg })];
  const seeds = [
    [...plain, new Pax({ path: long }).encode(), ...tarFile('c.jpg', jpeg)],
    [...plain, ...gnu],
    [...gnu, ...linked],
    [...linked, ...global, ...tarFile('i.jpg', jpeg), ...plain],
    [...plain, ...holes, ...linked],
    [...plain, ...gnu, ...named],
  ];
  return seeds.map((seed) => Buffer.concat([...seed.map((piece) => piece ?? Buffer.alloc(0)), tarEnd]));
}

/** A pax header of any words. */
function paxOf(words: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(words).map(([word, value]) => {
    const text = ` ${word}=${value}\n`;
    const digits = String(text.length + 2).length;
    return `${text.length + digits}${text}`;
  });
  return entry('PaxHeader/x', 'x', { bytes: Buffer.from(lines.join('')) });
}

/** Makes the checksums of all headers those of what is there. */
export function mendTar(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(0x20, 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}

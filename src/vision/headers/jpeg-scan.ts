import { isFrame, jpegMarkers, segmentsOf, two } from './jpeg-segments.ts';

/** What was found in the data of a scan. */
export interface ScanJudgement {
  /** Why its pixels cannot be those that were written; undefined where nothing speaks against them. */
  readonly damage: string | undefined;
}

/**
 * Reads the codes of a JPEG's only scan, as far as `rows` rows from the top need them, and judges them as native/image does by the warnings of libjpeg: too
 * little data, codes that are none, restarts out of step, data left over. libvips looks for warnings only before it decodes more, so that it sees none in
 * the last rows, where lost data shows; of several scans it sees all before the first row.
 *
 * Nothing for what it cannot read: several scans, arithmetic codes, tables that are not whole. Makes no pixels; tens of megabytes in a second.
 */
export function judgeScan(bytes: Uint8Array, rows: number): ScanJudgement | undefined {
  const scan = scanOf(bytes);
  return scan === undefined ? undefined : { damage: new ScanReader(bytes, scan).judge(rows) };
}

interface Component {
  readonly id: number;
  readonly across: number;
  readonly down: number;
}

/** Canonical codes: those of up to `lookBits` bits are looked up, `length << 8 | symbol`; the others are compared with the last code of each length. */
interface Codes {
  readonly look: Uint16Array;
  readonly last: Int32Array;
  readonly offset: Int32Array;
  readonly symbols: Uint8Array;
}

const lookBits = 9;

interface Scan {
  readonly from: number;
  readonly height: number;
  readonly perRow: number;
  /** Of an MCU, in pixels. */
  readonly mcuHeight: number;
  /** Rows that are interpolated from the next MCU. */
  readonly overlap: number;
  /** The tables of each block of an MCU. */
  readonly blocks: readonly { readonly dc: Codes; readonly ac: Codes }[];
  /** MCUs between two restarts; 0 for none. */
  readonly interval: number;
}

/** The only scan of a sequential JPEG with Huffman codes. */
function scanOf(bytes: Uint8Array): Scan | undefined {
  const tables = new Map<number, Codes>();
  let components: readonly Component[] = [];
  let [width, height, interval] = [0, 0, 0];
  for (const { kind, from, to } of segmentsOf(bytes)) {
    if (kind === jpegMarkers.tables) {
      if (!readTables(bytes, from, to, tables)) return undefined;
    } else if (kind === jpegMarkers.restarts) interval = two(bytes, from);
    else if (isFrame(kind)) {
      if (kind > 0xc1 || bytes[from] !== 8) return undefined;
      [height, width] = [two(bytes, from + 1), two(bytes, from + 3)];
      components = componentsIn(bytes, from + 5);
    } else if (kind === jpegMarkers.scan) {
      const count = bytes[from]!;
      if (count !== components.length || count === 0) return undefined;
      const blocks: { dc: Codes; ac: Codes }[] = [];
      for (let i = 0; i < count; i++) {
        const [id, chosen] = [bytes[from + 1 + 2 * i], bytes[from + 2 + 2 * i]!];
        const component = components.find((one) => one.id === id);
        const [dc, ac] = [tables.get(chosen >> 4), tables.get(16 | (chosen & 15))];
        if (component === undefined || dc === undefined || ac === undefined) return undefined;
        // A component by itself is stored block by block, whatever its sampling.
        const each = count === 1 ? 1 : component.across * component.down;
        for (let block = 0; block < each; block++) blocks.push({ dc, ac });
      }
      const most = (side: 'across' | 'down') => (count === 1 ? 1 : Math.max(...components.map((one) => one[side])));
      const [mcuWidth, mcuHeight] = [8 * most('across'), 8 * most('down')];
      const perRow = Math.ceil(width / mcuWidth);
      return { from: to, height, perRow, mcuHeight, overlap: mcuHeight > 8 ? 2 : 0, blocks, interval };
    }
  }
  return undefined;
}

function componentsIn(bytes: Uint8Array, at: number): readonly Component[] {
  return Array.from({ length: bytes[at]! }, (_, i) => {
    const [id, sampling] = [bytes[at + 1 + 3 * i]!, bytes[at + 2 + 3 * i]!];
    return { id, across: sampling >> 4, down: sampling & 15 };
  });
}

/** Adds the tables of a segment by class and number; false when one is not whole. */
function readTables(bytes: Uint8Array, from: number, to: number, tables: Map<number, Codes>): boolean {
  for (let at = from; at < to; ) {
    const counts = bytes.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (at + 17 + total > to || total > 256) return false;
    tables.set(bytes[at]!, codesOf(counts, bytes.subarray(at + 17, at + 17 + total)));
    at += 17 + total;
  }
  return true;
}

function codesOf(counts: Uint8Array, symbols: Uint8Array): Codes {
  const look = new Uint16Array(1 << lookBits);
  const [last, offset] = [new Int32Array(18).fill(-1), new Int32Array(18)];
  for (let length = 1, code = 0, at = 0; length <= 16; length++, code <<= 1) {
    offset[length] = at - code;
    for (let i = 0; i < counts[length - 1]!; i++, code++, at++) {
      if (length > lookBits) continue;
      const first = code << (lookBits - length);
      look.fill((length << 8) | symbols[at]!, first, first + (1 << (lookBits - length)));
    }
    if (counts[length - 1]! > 0) last[length] = code - 1;
  }
  return { look, last, offset, symbols };
}

const tooLittle = 'the data of its scan ends too soon';
const noCode = 'a code in its scan that is none';
const leftOver = 'data left over behind its last row';
const outOfStep = 'a restart in its scan that is out of step';

class ScanReader {
  readonly #bytes: Uint8Array;
  readonly #scan: Scan;
  #at: number;
  /** The last `#count` bits are still to be read. `#padded` of them are zeros behind the data. */
  #bits = 0;
  #count = 0;
  #padded = 0;

  constructor(bytes: Uint8Array, scan: Scan) {
    this.#bytes = bytes;
    this.#scan = scan;
    this.#at = scan.from;
  }

  judge(rows: number): string | undefined {
    const { height, mcuHeight, overlap, perRow, interval } = this.#scan;
    const all = Math.ceil(height / mcuHeight);
    const wanted = Math.min(all, Math.ceil((rows + overlap) / mcuHeight));
    let untilRestart = interval;
    let restarts = 0;
    for (let mcu = wanted * perRow; mcu > 0; mcu--) {
      if (interval > 0 && untilRestart-- === 0) {
        if (!this.#restart(restarts++ & 7)) return outOfStep;
        untilRestart = interval - 1;
      }
      const sound = this.#mcu();
      // Zeros that stand for missing data may be read as a code that is none.
      if (this.#count < this.#padded) return tooLittle;
      if (!sound) return noCode;
    }
    return wanted === all && this.#leavesData() ? leftOver : undefined;
  }

  #mcu(): boolean {
    const { blocks } = this.#scan;
    for (let block = 0; block < blocks.length; block++) {
      const { dc, ac } = blocks[block]!;
      const size = this.#symbol(dc);
      if (size < 0) return false;
      this.#skip(size & 15);
      for (let k = 1; k < 64; k++) {
        const symbol = this.#symbol(ac);
        if (symbol < 0) return false;
        if ((symbol & 15) === 0) {
          if (symbol !== 0xf0) break;
          k += 15;
        } else {
          k += symbol >> 4;
          this.#skip(symbol & 15);
        }
      }
    }
    return true;
  }

  #symbol(codes: Codes): number {
    if (this.#count < 16) this.#fill();
    const found = codes.look[(this.#bits >>> (this.#count - lookBits)) & ((1 << lookBits) - 1)]!;
    if (found !== 0) {
      this.#count -= found >> 8;
      return found & 255;
    }
    for (let length = lookBits + 1; length <= 16; length++) {
      const code = (this.#bits >>> (this.#count - length)) & ((1 << length) - 1);
      if (code > codes.last[length]!) continue;
      this.#count -= length;
      return codes.symbols[code + codes.offset[length]!] ?? -1;
    }
    return -1;
  }

  #skip(count: number): void {
    if (this.#count < count) this.#fill();
    this.#count -= count;
  }

  #fill(): void {
    while (this.#count <= 24) {
      const byte = this.#bytes[this.#at];
      const stops = byte === undefined || (byte === 0xff && this.#bytes[this.#at + 1] !== 0);
      if (stops) this.#padded += 8;
      else this.#at += byte === 0xff ? 2 : 1;
      this.#bits = (this.#bits << 8) | (stops ? 0 : byte);
      this.#count += 8;
    }
  }

  /** Whether the restart of that number comes next, with nothing but fill bytes before it. */
  #restart(number: number): boolean {
    const unread = this.#count - this.#padded;
    let at = this.#at;
    while (this.#bytes[at] === 0xff && this.#bytes[at + 1] === 0xff) at++;
    const met = unread < 8 && this.#bytes[at] === 0xff && this.#bytes[at + 1] === 0xd0 + number;
    this.#at = at + 2;
    this.#bits = this.#count = this.#padded = 0;
    return met;
  }

  #leavesData(): boolean {
    let from = this.#at;
    // Back over the bytes that were read ahead; a zero behind 255 was put there by the encoder.
    for (let ahead = (this.#count - this.#padded) >> 3; ahead > 0; ahead--) {
      from -= this.#bytes[from - 1] === 0 && this.#bytes[from - 2] === 0xff ? 2 : 1;
    }
    const to = nextMarker(this.#bytes, from);
    return to === this.#bytes.length ? to - from > mostPadding : isData(this.#bytes, from, to);
  }
}

/** Bytes before a marker that may be anything; as in native/image/decode/leftover.h. */
const mostPadding = 16;

/** Where the marker behind `from` stands, but for those of restarts; the length of the file where there is none. */
function nextMarker(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at)) {
    const kind = bytes[at + 1]!;
    if (kind !== 0 && kind !== 0xff && (kind < 0xd0 || kind > 0xd7)) return at;
    at += kind === 0xff ? 1 : 2;
  }
  return bytes.length;
}

/**
 * Whether [from, to) behind the last code of a scan is data of the picture, and no padding: more than a few bytes that are not all alike, or that were alike
 * before `from` already, so that the last rows were made of them.
 */
export function isData(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from <= mostPadding) return false;
  let run = to - 1;
  while (run > 0 && run > from - mostPadding && bytes[run - 1] === bytes[to - 1]) run--;
  return run > from + mostPadding / 2 || run <= from - mostPadding;
}

/** Formats that sharp can decode and a source may allow by name. SVG is not among them: it can name other files, and has no pixels of its own. */
export const pictureFormats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const;
export type Format = (typeof pictureFormats)[number];

/** The endings under which files of a format are usually found. */
export const formatEndings: Readonly<Record<Format, readonly string[]>> = {
  jpeg: ['.jpg', '.jpeg', '.jpe', '.jfif'],
  png: ['.png'],
  webp: ['.webp'],
  gif: ['.gif'],
  tiff: ['.tif', '.tiff'],
  avif: ['.avif'],
};

/** What the first bytes of a file say it is: `what` for people, `format` when it is a picture that can be decoded, else what to do with it. */
export interface Sniffed {
  readonly what: string;
  readonly format?: Format;
  readonly advice?: string;
}

const jpeg: Sniffed = { what: 'a JPEG', format: 'jpeg' };
const convert = 'Convert it to JPEG or PNG, or remove the file.';
const unpack = 'Unpack it.';

/** Files that begin with a text at a place, one that stands there in Latin-1. The first that fits counts. */
const signatures: readonly (readonly [at: number, text: string, what: string, more?: Format | string])[] = [
  [0, '\x89PNG\r\n\x1a\n', 'a PNG', 'png'],
  [0, 'GIF8', 'a GIF', 'gif'],
  [8, 'CR\x02\0', 'a raw photograph (CR2)', convert],
  [0, 'II*\0', 'a TIFF', 'tiff'],
  [0, 'MM\0*', 'a TIFF', 'tiff'],
  [0, 'II+\0', 'a TIFF', 'tiff'],
  [0, 'MM\0+', 'a TIFF', 'tiff'],
  [0, 'BM', 'a BMP', convert],
  [0, '\0\0\x01\0', 'an icon (ICO)', convert],
  [0, '\0\0\x02\0', 'a cursor (CUR)', convert],
  [0, '\xff\x0a', 'a JPEG XL', convert],
  [0, '\0\0\0\x0cJXL ', 'a JPEG XL', convert],
  [0, '\0\0\0\x0cjP  ', 'a JPEG 2000', convert],
  [0, '\xff\x4f\xff\x51', 'a JPEG 2000', convert],
  [0, 'II\xbc', 'a JPEG XR', convert],
  [0, '8BPS', 'a Photoshop file', convert],
  [0, 'qoif', 'a QOI picture', convert],
  [0, '\x76\x2f\x31\x01', 'an OpenEXR picture', convert],
  [0, '#?RADIANCE', 'a Radiance HDR picture', convert],
  [0, '#?RGBE', 'a Radiance HDR picture', convert],
  [0, 'DDS ', 'a DDS texture', convert],
  [0, 'IIRO', 'a raw photograph (ORF)', convert],
  [0, 'IIRS', 'a raw photograph (ORF)', convert],
  [0, 'MMOR', 'a raw photograph (ORF)', convert],
  [0, 'IIU\0', 'a raw photograph (RW2)', convert],
  [0, 'FUJIFILMCCD-RAW', 'a raw photograph (RAF)', convert],
  [0, 'FOVb', 'a raw photograph (X3F)', convert],
  [128, 'DICM', 'a DICOM file', convert],
  [0, 'SIMPLE  =', 'a FITS picture', convert],
  [0, '%PDF', 'a PDF', convert],
  [0, 'RIFF', 'a RIFF file, such as a video or sound'],
  [0, '\x1aE\xdf\xa3', 'a video (Matroska or WebM)'],
  [0, '\0\0\x01\xba', 'a video (MPEG)'],
  [0, '\0\0\x01\xb3', 'a video (MPEG)'],
  [0, 'FLV\x01', 'a video (FLV)'],
  [0, 'PK\x03\x04', 'a ZIP archive', unpack],
  [0, '\x1f\x8b', 'a gzip archive', unpack],
  [0, 'BZh', 'a bzip2 archive', unpack],
  [0, '\xfd7zXZ\0', 'an xz archive', unpack],
  [0, '\x28\xb5\x2f\xfd', 'a zstd archive', unpack],
  [0, '7z\xbc\xaf\x27\x1c', 'a 7-Zip archive', unpack],
  [0, 'Rar!', 'a RAR archive', unpack],
  [257, 'ustar', 'a tar archive', 'Give it to the source `webdataset`, or unpack it.'],
  [0, '\x89HDF', 'an HDF5 file'],
  [0, '\x93NUMPY', 'a NumPy array'],
  [
    0,
    'version https://git-lfs.github.com/spec/',
    'a git-lfs pointer, not the file itself',
    'Fetch it with `git lfs pull`.',
  ],
];

/** What the first bytes of a file say it is. Looks at no more than 1 KB. */
export function sniff(bytes: Uint8Array): Sniffed {
  // What most files are, without a copy of their first bytes.
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return jpeg;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024));
  const latin = head.toString('latin1');
  if (latin.startsWith('RIFF') && latin.startsWith('WEBP', 8)) return { what: 'a WebP', format: 'webp' };
  if (latin.startsWith('RIFF') && latin.startsWith('AVI ', 8)) return { what: 'a video (AVI)' };
  if (latin.startsWith('ftyp', 4)) return sniffBrands(head);
  const known = signatures.find(([at, text]) => latin.startsWith(text, at));
  if (known !== undefined) return sniffedOf(known);
  if (head.every((byte) => byte === 0)) {
    return { what: 'nothing but zero bytes', advice: 'Copy it again, or remove the file.' };
  }
  return sniffText(head);
}

function sniffedOf([, , what, more]: (typeof signatures)[number]): Sniffed {
  if (more === undefined) return { what };
  const format = pictureFormats.find((format) => format === more);
  return format === undefined ? { what, advice: more } : { what, format };
}

/** Of brands by their beginnings; the first that fits one of a file's brands counts. */
const brands: readonly (readonly [beginnings: readonly string[], sniffed: Sniffed])[] = [
  [['avif', 'avis'], { what: 'an AVIF', format: 'avif' }],
  [
    ['hei', 'hev'],
    { what: 'an HEIC', advice: 'Convert it to JPEG or PNG, for example by `heif-convert`, or remove the file.' },
  ],
  [['crx '], { what: 'a raw photograph (CR3)', advice: convert }],
  [['jxl '], { what: 'a JPEG XL', advice: convert }],
  [['jp2', 'jpx', 'jpm'], { what: 'a JPEG 2000', advice: convert }],
  [['mif', 'msf', 'miaf'], { what: 'an HEIF of an unknown coding', advice: convert }],
  [['M4A', 'M4B', 'M4P', 'F4A'], { what: 'a sound (MP4)' }],
  [
    ['qt', 'mp4', 'mp7', 'iso', 'avc', 'M4V', 'm4v', '3g', 'dash', 'mmp4', 'MSNV', 'F4V', 'f4v', 'XAVC', 'cmf', 'ndsc'],
    { what: 'a video' },
  ],
];

/** Files of boxes, as MP4 and HEIF, say first which readers they are for: a major brand, and others that fit as well. */
function sniffBrands(head: Buffer): Sniffed {
  // A box of size 0 reaches to the end of the file, one of size 1 has a longer size.
  const size = head.readUInt32BE(0);
  const names: string[] = [];
  for (let at = 8; at + 4 <= Math.min(head.length, size < 16 ? 12 : size); at += 4) {
    // Between the major brand and the others stands a version.
    if (at !== 12) names.push(head.toString('latin1', at, at + 4));
  }
  const fits = (beginning: string) => names.some((name) => name.startsWith(beginning));
  const known = brands.find(([beginnings]) => beginnings.some(fits));
  return known?.[1] ?? { what: `a file of boxes of an unknown kind (${names[0] ?? ''})` };
}

const downloadAgain = 'It is what a server sent in place of the picture: download it again, or remove the file.';

function sniffText(head: Buffer): Sniffed {
  const text = head
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  if (/^P[1-7]\s/.test(text)) return { what: 'a portable bitmap (PNM)', advice: convert };
  if (/^<svg[\s>]/i.test(text) || (/^<(\?xml|!doctype\s+svg|!--)/i.test(text) && /<svg[\s>]/i.test(text)))
    return { what: 'an SVG drawing', advice: convert };
  if (/^(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)/is.test(text))
    return { what: 'an HTML page', advice: downloadAgain };
  // Bytes below the space, but tab and line ends, do not occur in text; neither does what is not UTF-8.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\x00-\x08\x0e-\x1f\ufffd]/.test(text.slice(0, -1)))
    return { what: `bytes of an unknown kind (${head.subarray(0, 4).toString('hex')}…)` };
  if (/^<\?xml|^<Error>/.test(text)) return { what: 'an XML text', advice: downloadAgain };
  if (/^\{\s*"/.test(text)) return { what: 'a JSON text', advice: downloadAgain };
  return { what: 'text' };
}

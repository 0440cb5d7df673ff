/** Formats that sharp can decode and a source may allow by name. SVG is not among them: it can name other files, and has no pixels of its own. */
export const pictureFormats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'];
/** The endings under which files of a format are usually found. */
export const formatEndings = {
    jpeg: ['.jpg', '.jpeg', '.jpe', '.jfif'],
    png: ['.png'],
    webp: ['.webp'],
    gif: ['.gif'],
    tiff: ['.tif', '.tiff'],
    avif: ['.avif'],
};
const jpeg = { what: 'a JPEG', format: 'jpeg' };
/** Of the others. */
const signatures = [
    { at: 0, text: '\x89PNG\r\n\x1a\n', what: 'a PNG', format: 'png' },
    { at: 8, text: 'WEBP', what: 'a WebP', format: 'webp' },
    { at: 0, text: 'GIF8', what: 'a GIF', format: 'gif' },
    { at: 0, text: 'II*\0', what: 'a TIFF', format: 'tiff' },
    { at: 0, text: 'MM\0*', what: 'a TIFF', format: 'tiff' },
    { at: 4, text: 'ftypavif', what: 'an AVIF', format: 'avif' },
    { at: 4, text: 'ftypavis', what: 'an AVIF', format: 'avif' },
    { at: 4, text: 'ftyphei', what: 'an HEIC' },
    { at: 4, text: 'ftyp', what: 'a video' },
    { at: 0, text: 'BM', what: 'a BMP' },
    { at: 0, text: '\0\0\x01\0', what: 'an icon (ICO)' },
    { at: 0, text: '\xff\x0a', what: 'a JPEG XL' },
    { at: 0, text: '\0\0\0\x0cJXL ', what: 'a JPEG XL' },
    { at: 0, text: '8BPS', what: 'a Photoshop file' },
    { at: 0, text: '%PDF', what: 'a PDF' },
    { at: 0, text: 'PK\x03\x04', what: 'a ZIP archive' },
    { at: 0, text: '\x1f\x8b', what: 'a gzip archive' },
];
/** What the first bytes of a file say it is: `what` for people, `format` when it is a picture that can be decoded. Looks at no more than 1 KB. */
export function sniff(bytes) {
    // What most files are, without a copy of their first bytes.
    if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff)
        return jpeg;
    const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024));
    const latin = head.toString('latin1');
    const known = signatures.find(({ at, text }) => latin.startsWith(text, at) && (text !== 'WEBP' || latin.startsWith('RIFF')));
    if (known !== undefined)
        return known;
    if (head.every((byte) => byte === 0))
        return { what: 'nothing but zero bytes' };
    const text = head
        .toString('utf8')
        .replace(/^\ufeff/, '')
        .trimStart();
    if (/^<svg[\s>]/i.test(text) || (/^<(\?xml|!doctype\s+svg|!--)/i.test(text) && /<svg[\s>]/i.test(text)))
        return { what: 'an SVG drawing' };
    if (/^<(!doctype\s+html|html)/i.test(text))
        return { what: 'an HTML page' };
    // Bytes below the space, but tab and line ends, do not occur in text; neither does what is not UTF-8.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (!/[\x00-\x08\x0e-\x1f\ufffd]/.test(text.slice(0, -1)))
        return { what: 'text' };
    return { what: `bytes of an unknown kind (${head.subarray(0, 4).toString('hex')}…)` };
}
//# sourceMappingURL=formats.js.map
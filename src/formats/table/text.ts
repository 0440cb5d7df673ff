import { isUtf8 } from 'node:buffer';
import { fail } from '../../errors.ts';
import { packedBytes } from '../../files/packed-as.ts';

/** The text of a file. @throws MANIFEST_BROKEN with the first line that is no UTF-8 */
export function textOf(bytes: Buffer, file: string, expected: string): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let line = 1;
  for (let from = 0, to = 0; from < bytes.length; from = to + 1, line++) {
    to = bytes.indexOf(10, from);
    if (to < 0) to = bytes.length;
    if (!isUtf8(bytes.subarray(from, to))) break;
  }
  const packed = packedBytes(bytes.subarray(0, 512));
  const found = packed?.what ?? 'bytes that are no text in UTF-8';
  const advice = packed === undefined ? ', or save the file as UTF-8' : `: ${packed.advice.replace(/\.$/, '')}`;
  throw fail('MANIFEST_BROKEN', { expected, line, found, advice }, { where: file });
}

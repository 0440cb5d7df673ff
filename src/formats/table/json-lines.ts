import { fail, firstLine, messageOf } from '../../errors.ts';
import { textOf } from './text.ts';
import type { TableVisitor } from './visitor.ts';

/**
 * Passes over the rows of a file of JSON Lines: a map on each line, UTF-8. Empty lines are passed over.
 *
 * @param file how it is called in messages
 * @throws MANIFEST_BROKEN for bytes that are no text and lines that are no map of JSON; what the visitor throws
 */
export function readJsonLines(bytes: Buffer, file: string, visit: TableVisitor): void {
  const expected = 'a map of JSON on each line, in UTF-8';
  const text = textOf(bytes, file, expected).replace(/^\uFEFF/, '');
  let line = 0;
  for (let from = 0, to = 0; from <= text.length; from = to + 1) {
    to = text.indexOf('\n', from);
    if (to < 0) to = text.length;
    line++;
    const own = text.slice(from, to).trim();
    if (own === '') continue;
    const json = mapOf(own, (found, cause) =>
      fail('MANIFEST_BROKEN', { expected, line, found, advice: '' }, { where: file, cause }),
    );
    visit.row((name) => (Object.hasOwn(json, name) ? json[name] : undefined), line);
  }
}

function mapOf(text: string, refuse: (found: string, cause?: unknown) => Error): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw refuse(firstLine(messageOf(cause)), cause);
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw refuse(Array.isArray(json) ? 'a list' : `${json}`.slice(0, 40));
}

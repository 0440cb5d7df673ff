import t from 'tap';
import { z } from 'zod';
import { jsonSchema } from '../../src/pipeline/options.ts';
import { imageFolder } from '../../src/sources/index.ts';
import { mapSources, sourceOption } from '../../src/sources/source-option.ts';

t.test('an option that is a source takes what a factory gives, and nothing else', (t) => {
  const schema = z.strictObject({ inner: sourceOption().describe('Inner.') });
  t.same(jsonSchema(schema).properties, { inner: { format: 'source', description: 'Inner.' } });
  t.ok(schema.safeParse({ inner: imageFolder('./photos') }).success);
  for (const inner of [undefined, null, 3, './photos', { source: 3 }, { source: null }, { source: { name: 'x' } }, []])
    t.notOk(schema.safeParse({ inner }).success, String(inner));
  t.end();
});

t.test('sources are found in lists and maps, with where they stand; all else stays as it is', (t) => {
  const photos = imageFolder('./photos');
  const date = new Date(0);
  const found: unknown[] = [];
  const mapped = mapSources({ a: [{ b: photos }, 1], c: photos, date, n: null, s: 'x' }, (source, at) => {
    found.push(at);
    return source.source.name;
  });
  t.same(mapped, { a: [{ b: 'image-folder' }, 1], c: 'image-folder', date, n: null, s: 'x' });
  t.equal((mapped as { date: Date }).date, date);
  t.same(found, [['a', 0, 'b'], ['c']]);
  t.end();
});

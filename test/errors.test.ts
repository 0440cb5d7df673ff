import t from 'tap';
import { fail, messageOf, nearest, PatchstreamError, printable } from '../src/errors.ts';

t.test('an error says code, place, rule and finding, and keeps its cause', (t) => {
  const cause = new Error('below');
  const error = fail('STAGE_TIMEOUT', { seconds: 60 }, { where: 'stage decode', cause });
  t.ok(error instanceof PatchstreamError);
  t.equal(
    error.message,
    'STAGE_TIMEOUT: stage decode: a sample must leave the stage within 60 s; it did not. Raise `timeout`, or find out what it waits for.',
  );
  t.match(error, { code: 'STAGE_TIMEOUT', where: 'stage decode', cause });
  t.end();
});

t.test('what comes from outside cannot move the cursor, hide or reorder', (t) => {
  t.equal(printable('a\u001b[2Jb\u202ec\u0000\nd'), 'a\\u{1b}[2Jb\\u{202e}c\\u{0}\\nd');
  t.equal(printable('größe 图 😀'), 'größe 图 😀');
  const error = fail('STAGE_OUTPUT', { found: 'x\u001b[31m' }, { where: 'stage \u001b]0;title\u0007' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for them is the test
  t.notMatch(error.message, /[\u0000-\u001f]/);
  t.equal(messageOf('a\u0007'), 'a\\u{7}');
  t.equal(messageOf(new TypeError('')), 'TypeError');
  t.end();
});

t.test('braces in values are not slots', (t) => {
  t.match(fail('STAGE_OUTPUT', { found: '{found}' }).text, /got {found}\./);
  t.end();
});

t.test('suggestions are near', (t) => {
  t.equal(nearest('windwos', ['mask', 'windows']), 'windows');
  t.equal(nearest('resise', ['resize', 'decode']), 'resize');
  t.equal(nearest('banana', ['resize', 'decode']), undefined);
  t.end();
});

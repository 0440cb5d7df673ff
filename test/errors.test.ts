import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { counted, percentOf } from '../src/counts.ts';
import {
  catalogue,
  type ErrorCode,
  fail,
  filled,
  messageOf,
  nearest,
  PatchstreamError,
  printable,
  reasonOf,
  sentence,
} from '../src/errors.ts';
import { noticeCatalogue } from '../src/events/notices.ts';

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

t.test('what a system says of a file is said in words, with the path where no sentence names it', (t) => {
  const dir = t.testdir({ file: '' });
  const thrownBy = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      return error;
    }
    throw new Error('it must throw');
  };
  for (const [path, word] of [
    [join(dir, 'none'), 'nothing of this name'],
    [join(dir, 'file/x'), 'a file in the place of a folder'],
  ] as const) {
    const error = thrownBy(() => readFileSync(path));
    t.same([messageOf(error), reasonOf(error)], [`${word}: ${path}`, word]);
  }
  t.equal(messageOf(thrownBy(() => readFileSync(dir))), 'a folder', 'of which Node says no path');
  const other = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' });
  t.same([messageOf(other), reasonOf(other)], ['connect ECONNREFUSED', 'connect ECONNREFUSED'], 'of no file');
  const own = Object.assign(new Error('mine'), { code: 'ENOENT' });
  t.equal(reasonOf(own), 'mine', 'of no system');
  t.equal(messageOf(undefined), 'undefined');
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

t.test('M9: no message of the catalogue puts a one before a plural, whatever its numbers are', (t) => {
  for (const [code, message] of Object.entries(catalogue) as [ErrorCode, string][]) {
    const names = [...message.matchAll(/\{(\w+)(?::[\w/]+)?\}/g)].map(([, name]) => name!);
    const filled = (value: string | number) =>
      fail(code, Object.fromEntries(names.map((name) => [name, value])) as never).text;
    for (const one of [1, '1'])
      t.notMatch(filled(one), /\b1 (?!(is|was|has|does|needs|hides|lies|gives|changes|class)\b)[a-z]+s\b/, code);
    t.notMatch(filled(2), /\{\w+[:}]/, 'all slots are filled');
  }
  t.match(fail('FILE_LARGE', { limit: 1, size: 2 }).text, /at most 1 byte;/);
  t.match(fail('FILE_LARGE', { limit: 2000, size: 3000 }).text, /at most 2,000 bytes;/);
  t.match(fail('MASK_COUNT', { n: 1, ratio: 1, hidden: 1 }).text, /one of 1 patch and/);
  t.end();
});

t.test('M9: numbers with what they count, and shares, for any counts', (t) => {
  fc.assert(
    fc.property(fc.nat(), (count) => {
      const text = counted(count, 'file');
      return text.endsWith(' file') === (count === 1) && Number(text.replace(/,| files?$/g, '')) === count;
    }),
  );
  t.same([counted(1, 'class', 'classes'), counted(1234, 'class', 'classes')], ['1 class', '1,234 classes']);
  const part = fc.double({ noNaN: true, min: -1e9, max: 1e9 });
  fc.assert(
    fc.property(part, part, (a, b) => {
      const share = percentOf(a, b);
      return share >= 0 && share <= 100;
    }),
  );
  t.equal(percentOf(1, 4), 25, 'N4');
  t.end();
});

t.test('no message of the catalogues has two full stops, blanks or no end of a sentence, whatever fills it', (t) => {
  const all = { ...catalogue, ...noticeCatalogue };
  for (const [code, message] of Object.entries(all)) {
    const names = [...message.matchAll(/\{(\w+)(?::[\w/]+)?\}/g)].map(([, name]) => name!);
    for (const value of ['a sentence of another error. Do this.', 'what?', 'x (of y).', 'cut off…', '`name`.']) {
      const text = filled(message, Object.fromEntries(names.map((name) => [name, value])));
      t.notMatch(text.replaceAll('...', ''), /[.!?…]\./, `${code}: ${text}`);
    }
  }
  t.same(['broken', 'broken.', 'why?', '..'].map(sentence), ['broken.', 'broken.', 'why?', '...']);
  t.equal(filled('got {found}. {advice}', { found: 'a.txt', advice: 'Go.' }), 'got a.txt. Go.');
  t.equal(filled('got {found}. Go.', { found: '..' }), 'got ... Go.', 'a path is no sentence');
  t.equal(filled('at {path}.tmp, {path}.', { path: 'No.' }), 'at No..tmp, No.');
  t.end();
});

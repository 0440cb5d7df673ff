import { join } from 'node:path';
import t from 'tap';
import { checkFile } from '../../../src/pipeline/check.ts';
import { readDocument } from '../../../src/pipeline/file/document.ts';
import { plain } from '../../../src/pipeline/file/locate.ts';
import { registry } from '../registry.ts';

const read = (text: string) => {
  const { root, problems } = readDocument(text, '/p.yaml');
  return { value: root && plain(root), texts: problems.map(({ error }) => error.message) };
};

t.test('anchors and merge keys', async (t) => {
  const { value, texts } = read('a: &a { x: 1, y: 2 }\nb: { y: 3, <<: *a }\nc: { <<: [*a, { z: 4 }] }\nd: *a\n');
  t.same(texts, []);
  t.same(value, { a: { x: 1, y: 2 }, b: { x: 1, y: 3 }, c: { x: 1, y: 2, z: 4 }, d: { x: 1, y: 2 } });
});

t.test('what is not plain YAML is a problem with its place', async (t) => {
  const texts = [
    'a: 1\na: 2\n',
    'a: !php/object x\n',
    'a: [1, 2\n',
    'a:\n\tb: 1\n',
    'a: *nowhere\n',
    '---\na: 1\n---\nb: 2\n',
    '? [a, b]\n: 1\n',
    '__proto__: { polluted: true }\nconstructor: 1\n',
    'a: { <<: 3 }\n',
    '',
  ].map((text) => read(text).texts.join('\n'));
  t.matchSnapshot(texts.join('\n---\n'));
  t.equal(({} as { polluted?: boolean }).polluted, undefined);
});

t.test('hostile files are refused, and soon', async (t) => {
  const bomb = `a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}*a${i}]`).join('\n')}\n`;
  const texts = [
    bomb,
    'a: &a [*a]\n',
    `a: ${'['.repeat(200_000)}`,
    `a: ${'{b: '.repeat(20_000)}`,
    `${'- '.repeat(200_000)}x\n`,
    'a: x\0y\n',
    'a: \u001b[31mred\n',
  ];
  for (const text of texts) {
    const { texts: problems } = read(text);
    t.match(problems[0], /^PIPELINE_YAML: \/p.yaml:\d+:\d+: /, text.slice(0, 20));
    t.ok(problems.length < 5, 'told once');
  }
});

t.test('S3: aliases are looked up where they stand, not in the whole document', async (t) => {
  const many = `a: &a 1\nb: [${'*a, '.repeat(20_000)}*a]\n`;
  t.same((read(many).value as { b: number[] }).b.length, 20_001);
  t.match(read(`a: &a [1, 2]\nb: [${'*a, '.repeat(20_000)}*a]\n`).texts, [
    /more than 50,000 values, aliases spelt out/,
  ]);
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: *a\n`).join('');
  t.same(Object.keys(read(`a: &a 1\n${keys}`).value as object).length, 20_001);
  const again = read('a: &x { b: &y 1 }\nc: &y 2\nd: *x\ne: *y\nf: &y 3\ng: *y\n');
  t.same(again.value, { a: { b: 1 }, c: 2, d: { b: 1 }, e: 2, f: 3, g: 3 });
  t.match(read('a: *b\nc: &b 1\n').texts, [/\*b|alias/]);
});

t.test('a file of ten megabytes, a folder, and bytes that are no text', async (t) => {
  const dir = t.testdir({
    'big.yaml': `a: ${'x'.repeat(10 << 20)}\n`,
    'dir.yaml': {},
    'bytes.yaml': Buffer.from([0xff, 0xfe, 0, 1, 2]),
  });
  const codes = async (name: string) =>
    (await checkFile(join(dir, name), { registry })).problems.map(({ error }) => error.code);
  t.same(await codes('big.yaml'), ['PIPELINE_SIZE']);
  t.same(await codes('dir.yaml'), ['PIPELINE_FILE']);
  t.same(await codes('bytes.yaml'), ['PIPELINE_YAML']);
});

t.test('values of the wrong kind everywhere are problems, not crashes', async (t) => {
  const whole = [
    'source',
    'stages',
    'sink',
    'train',
    'evaluate',
    'use',
    'extends',
    'name',
    'seed',
    'output',
    'permits',
    'cells',
  ];
  for (const value of ['null', '3', 'text', '[]', '[[1]]', '{}', '{ a: { b: c } }', 'true', '""']) {
    for (const key of whole) {
      const dir = t.testdir({ 'p.yaml': `${key}: ${value}\n` });
      const { problems } = await checkFile(join(dir, 'p.yaml'), { registry });
      if (problems.length === 0) t.fail(`${key}: ${value}`);
    }
  }
  for (const text of ['3', '[]', 'text', '"x"', '{}']) {
    const dir = t.testdir({ 'p.yaml': `${text}\n` });
    t.not((await checkFile(join(dir, 'p.yaml'), { registry })).problems.length, 0, text);
  }
});

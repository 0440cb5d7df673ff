import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { filesBelow } from '../../scripts/lib/stamp.mjs';

const root = process.cwd();
const folders = ['.ci', 'bench', 'bin', 'docs', 'fixtures', 'pipelines', 'schema', 'scripts', 'src', 'test'];
const isText = (name: string) => /(\.(ts|mjs|js|json|jsonl|md|yaml|yml|cc|h|txt|svg)|\/run|^\.\w+|LICENSE)$/.test(name);

const texts = new Map(
  [
    ...readdirSync(root, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : [])),
    ...folders.flatMap((folder) => filesBelow(root, folder)),
  ]
    .filter((name) => isText(name) && !name.includes('.tap') && existsSync(join(root, name)))
    .map((name) => [name, readFileSync(join(root, name), 'utf8')]),
);

/** The lines of the files in `folder` that match. */
function found(pattern: RegExp, folder = '') {
  return [...texts]
    .filter(([name]) => name.startsWith(folder))
    .flatMap(([name, text]) =>
      text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${name}:${index + 1}: ${line.trim()}`] : [])),
    );
}

t.test('no chance but the keyed generator', (t) => {
  t.same(found(/Math\.random\(/, 'src/'), []);
  t.end();
});

t.test('no registry and no path of a development machine', (t) => {
  // Put together here, so that this file does not find itself.
  const hosts = ['npmjs', 'npmmirror', 'pythonhosted', 'artifactory'].map((host) => `${host}\\.`);
  const paths = ['work', 'root', 'Users', 'home/\\w+'].map((name) => `(^|[\\s"'\`(=])/${name}/`);
  t.same(found(new RegExp([...hosts, ...paths].join('|'))), []);
  t.notMatch(texts.get('package-lock.json'), '"resolved"');
  t.end();
});

t.test('no `any`, nothing put off', (t) => {
  t.same(
    found(/(:|\bas|<) ?any\b(?=[\s;,)>[\]=|&]|$)/, 'src/').filter((line) => !/:\d+: (\/\/|\*)/.test(line)),
    [],
  );
  t.same(found(new RegExp(`\\b(${['TO', 'FIX'].map((a, i) => a + ['DO', 'ME'][i]).join('|')})\\b`), 'src/'), []);
  t.end();
});

t.test('no source grows past 320 lines', (t) => {
  const long = [...texts]
    .filter(([name]) => name.startsWith('src/') && name.endsWith('.ts'))
    .map(([name, text]) => ({ name, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > 320);
  t.same(long, []);
  t.end();
});

t.test('M9: numbers before plurals are written by `counted`, which knows of one', (t) => {
  const nouns =
    'threads cores samples pictures steps files folders links places permits tars shards records lines problems bytes tensors ' +
    'channels values parts others classes patches tokens parameters components bands tasks';
  const plural = new RegExp(`\\$\\{(?![^}]*toFixed)[^}]*\\} (${nouns.replaceAll(' ', '|')})\\b(?!/)`);
  t.same(
    found(plural, 'src/').filter((line) => !/:\d+: \*/.test(line)),
    [],
  );
  t.end();
});

t.test('issue 16: a catch that takes every error says which and why, and one that names its error uses it', (t) => {
  const silent: string[] = [];
  for (const [name, text] of texts) {
    if (!name.startsWith('src/') || !name.endsWith('.ts')) continue;
    const lines = text.split('\n');
    const isComment = (line = '') => /^\s*(\/\/|\*)/.test(line);
    for (const [index, line] of lines.entries()) {
      if (isComment(line)) continue;
      const takesAll =
        /\bcatch \{|\bcatch\(\(\) =>|^\s*\(\) => (undefined|\{\}|false|\[\]),?$|then\(undefined, \(\) =>/.test(line);
      const isSaid = [lines[index - 1], lines[index + 1], lines[index - 2]].some(isComment);
      if (takesAll && !isSaid) silent.push(`${name}:${index + 1}: ${line.trim()}`);
      const caught = /^(\s*)\} catch \((\w+)(?:: \w+)?\) \{$/.exec(line);
      if (caught === null) continue;
      const end = lines.findIndex((other, at) => at > index && other.startsWith(`${caught[1]}}`));
      const body = lines.slice(index + 1, end).join('\n');
      if (!new RegExp(`\\b${caught[2]}\\b`).test(body)) silent.push(`${name}:${index + 1}: ${line.trim()}`);
    }
  }
  t.same(silent, []);
  t.end();
});

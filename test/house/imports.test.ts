import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import t from 'tap';
import { filesBelow } from '../../scripts/lib/stamp.mjs';

const root = process.cwd();
const everywhere = ['awake-clock.ts', 'counts.ts', 'errors.ts', 'machine.ts', 'random.ts', 'whole-file.ts'];

/** What each part of src may import besides itself, and these. The arrows go one way only. */
const mayImport: Record<string, readonly string[]> = {
  'awake-clock.ts': [],
  'errors.ts': ['errors'],
  errors: [],
  'counts.ts': [],
  'machine.ts': [],
  'random.ts': [],
  'whole-file.ts': [],
  'native.ts': [],
  streams: [],
  vision: ['native.ts'],
  datasets: ['streams', 'vision', 'native.ts'],
  stages: ['streams', 'vision', 'native.ts'],
  backends: ['native.ts'],
  models: ['backends', 'vision'],
  train: ['models', 'backends', 'vision'],
  pipeline: ['train', 'models', 'backends', 'stages', 'datasets', 'vision', 'streams', 'native.ts'],
  cli: ['pipeline', 'train', 'models', 'backends', 'stages', 'datasets', 'vision', 'streams', 'native.ts'],
  'index.ts': ['pipeline', 'train', 'models', 'backends', 'stages', 'datasets', 'vision', 'streams', 'native.ts'],
};

interface Import {
  readonly from: string;
  /** A path inside src, or the name of a package. */
  readonly to: string;
  readonly kind: 'static' | 'type' | 'dynamic';
}

/** The imports of one source, found by pattern: a parser would cost more than it tells here. */
function importsOf(name: string): Import[] {
  const text = readFileSync(name, 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
  const statement = /^(?:import|export)\s(?<type>type\s)?(?:[^;'"]*?\sfrom\s)?['"](?<path>[^'"]+)['"]/gm;
  const call = /\bimport\(\s*['"](?<path>[^'"]+)['"]/g;
  const from = name.replace(/^src\//, '');
  const resolve = (path: string) => (path.startsWith('.') ? posix.join(posix.dirname(from), path) : path);
  return [
    ...[...text.matchAll(statement)].map(({ groups }) => ({
      from,
      to: resolve(groups?.path ?? ''),
      kind: groups?.type === undefined ? ('static' as const) : ('type' as const),
    })),
    ...[...text.matchAll(call)].map(({ groups }) => ({
      from,
      to: resolve(groups?.path ?? ''),
      kind: 'dynamic' as const,
    })),
  ];
}

const sources = filesBelow(root, 'src').filter((name) => name.endsWith('.ts'));
const imports = sources.flatMap(importsOf);
const own = imports.filter(({ to }) => /\.ts$/.test(to));
const partOf = (name: string) => name.split('/')[0] ?? name;

t.test('every part of src stands in the table', (t) => {
  const unknown = sources.map((name) => partOf(name.slice(4))).filter((part) => !(part in mayImport));
  t.same([...new Set(unknown)], []);
  t.ok(own.length > 20, 'the pattern finds imports');
  t.end();
});

t.test('imports go the way of the table', (t) => {
  const wrong = own.filter(({ from, to }) => {
    const [importer, imported] = [partOf(from), partOf(to)];
    return importer !== imported && !everywhere.includes(imported) && !mayImport[importer]?.includes(imported);
  });
  t.same(wrong, []);
  t.end();
});

t.test('tfjs is imported by one file', (t) => {
  const importers = imports.filter(({ to, kind }) => to.startsWith('@tensorflow/tfjs') && kind !== 'type');
  const allowed = ['backends/tf.ts', 'backends/wasm.ts'];
  t.same(
    importers.filter(({ from }) => !allowed.includes(from)),
    [],
  );
  t.end();
});

t.test('checking and describing a pipeline does not load tfjs', (t) => {
  const verbs = ['cli/main.ts', 'cli/check.ts', 'cli/describe.ts'].filter((name) => sources.includes(`src/${name}`));
  const reached = new Set(verbs);
  for (const name of reached) {
    for (const { from, to, kind } of own) if (from === name && kind === 'static') reached.add(to);
  }
  t.notOk(reached.has('backends/tf.ts'), [...reached].join(' '));
  t.end();
});

t.test('no file imports itself by way of others, types counted', (t) => {
  const waiting = new Map(sources.map((name) => [name.slice(4), new Set<string>()]));
  for (const { from, to } of own) waiting.get(from)?.add(to);
  // A file of which all imports are gone goes too; what stays lies on a circle, or above one.
  for (let before = Number.POSITIVE_INFINITY; waiting.size < before; ) {
    before = waiting.size;
    for (const [name, imports] of waiting) if (![...imports].some((to) => waiting.has(to))) waiting.delete(name);
  }
  t.same([...waiting.keys()], []);
  t.end();
});

import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import t from 'tap';
import { filesBelow } from '../../scripts/lib/stamp.mjs';

const root = process.cwd();
/** Leaves that every part may import. */
const everywhere = [
  'awake-clock.ts',
  'counts.ts',
  'errors.ts',
  'errors',
  'html.ts',
  'library-threads.ts',
  'machine.ts',
  'own-code.ts',
  'random.ts',
  'native-reading.ts',
  'native-likeness.ts',
  'native.ts',
  'external-memory.ts',
  'native-pool.ts',
  'worker-thread.ts',
  'whole-file.ts',
];

/** The parts of src, the lowest first: each may import those before it, types counted, and none behind it. */
const rooms = [
  ...['streams', 'files', 'vision', 'formats', 'sources', 'sinks', 'backends', 'faces', 'stages', 'models'],
  ...[
    'train',
    'measures',
    'inference',
    'balance',
    'events',
    'trackers',
    'pipeline',
    'runs',
    'studies',
    'cli',
    'index.ts',
  ],
];

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
  const call = /\b(?:import|require|createRequire\(import\.meta\.url\))\(\s*['"](?<path>[^'"]+)['"]/g;
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

t.test('every part of src stands in the list of rooms', (t) => {
  const unknown = sources
    .map((name) => partOf(name.slice(4)))
    .filter((part) => ![...everywhere, ...rooms].includes(part));
  t.same([...new Set(unknown)], []);
  t.ok(own.length > 20, 'the pattern finds imports');
  t.end();
});

t.test('imports go downwards, from room to room', (t) => {
  const wrong = own.filter(({ from, to }) => {
    const [importer, imported] = [partOf(from), partOf(to)];
    if (importer === imported || everywhere.includes(imported)) return false;
    return everywhere.includes(importer) || rooms.indexOf(imported) > rooms.indexOf(importer);
  });
  t.same(wrong, []);
  t.end();
});

t.test('tfjs is imported by one file', (t) => {
  const importers = imports.filter(({ to, kind }) => to.startsWith('@tensorflow/tfjs') && kind !== 'type');
  const allowed = ['backends/tf.ts', 'backends/wasm/wasm.ts'];
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

t.test('no room has more than 16 files side by side', (t) => {
  const counts = new Map<string, number>();
  for (const name of sources) counts.set(posix.dirname(name), (counts.get(posix.dirname(name)) ?? 0) + 1);
  t.same(
    [...counts].filter(([, count]) => count > 16),
    [],
  );
  t.end();
});

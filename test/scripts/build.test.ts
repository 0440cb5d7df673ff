import { existsSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { build, distIsFresh } from '../../scripts/build.mjs';

const root = process.cwd();
const settings = {
  compilerOptions: {
    rootDir: 'src',
    outDir: 'dist',
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES5'],
    skipLibCheck: true,
    types: [],
  },
  include: ['src'],
};

/** A small tree with a compiler: building ours would take the time of the whole file. */
function tree(t: Test) {
  const folder = t.testdir({
    'package.json': '{ "type": "module" }',
    'tsconfig.json': '{}',
    'tsconfig.build.json': JSON.stringify(settings),
    src: { 'a.ts': 'export const a: number = 1;\n', 'b.ts': 'export const b = 2;\n' },
    node_modules: {},
  });
  symlinkSync(join(root, 'node_modules', 'typescript'), join(folder, 'node_modules', 'typescript'), 'junction');
  return folder;
}

const collect = () => {
  const said: string[] = [];
  return { said, say: (line: string) => said.push(line) };
};

t.test('builds once, and again when a source changes or goes', (t) => {
  const folder = tree(t);
  const { said, say } = collect();
  t.equal(distIsFresh(folder), false);
  t.equal(build(folder, { say }), 0);
  t.equal(distIsFresh(folder), true);
  unlinkSync(join(folder, 'src', 'b.ts'));
  t.equal(distIsFresh(folder), false);
  t.equal(build(folder, { say }), 0);
  t.same(
    ['a.js', 'b.js'].map((name) => existsSync(join(folder, 'dist', name))),
    [true, false],
  );
  t.same(said, [], 'quiet when it succeeds');
  unlinkSync(join(folder, 'dist', 'a.js'));
  t.equal(distIsFresh(folder), false, 'a dist with a hole is not fresh');
  t.end();
});

t.test('sources that do not compile leave the old dist', (t) => {
  const folder = tree(t);
  const { said, say } = collect();
  build(folder, { say });
  writeFileSync(join(folder, 'src', 'a.ts'), "export const a: number = 'one';\n");
  t.equal(build(folder, { say }), 1);
  t.match(said.join('\n'), /a\.ts.*TS2322[\s\S]*src does not compile/);
  t.match(readFileSync(join(folder, 'dist', 'a.js'), 'utf8'), 'a = 1');
  t.end();
});

t.test('without a compiler nothing is stopped', (t) => {
  const folder = tree(t);
  unlinkSync(join(folder, 'node_modules', 'typescript'));
  const { said, say } = collect();
  t.equal(build(folder, { say }), 0);
  t.match(said, [/dist was not built/]);
  t.end();
});

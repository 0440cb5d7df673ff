import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const checks = fileURLToPath(new URL('../kit/kernels', import.meta.url));
const texts = fileURLToPath(new URL('../../native/torch/cuda', import.meta.url));
const without = spawnSync('g++', ['--version']).status === 0 ? false : 'there is no g++';

/** One comparison with float64: what, by how much it is apart, and whether the threads' order made no difference. */
interface Comparison {
  readonly what: string;
  readonly apart: number;
  readonly same: boolean;
}

/** Compiles a program of checks for the host, and runs it. */
function compared(t: Test, name: string, ...options: string[]): Comparison[] {
  const program = join(t.testdir({}), name);
  const flags = ['-std=c++17', '-O1', '-Wall', '-Wno-unknown-pragmas', '-iquote', checks, '-iquote', texts];
  const built = spawnSync('g++', [...flags, ...options, join(checks, `${name}.cc`), '-o', program], {
    encoding: 'utf8',
  });
  t.equal(built.stderr, '', 'compiled without a warning');
  const { stdout, status } = spawnSync(program, { encoding: 'utf8' });
  t.equal(status, 0, stdout);
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [what = '', apart = '', order = ''] = line.split('\t');
      return { what, apart: Number(apart), same: order === 'same' };
    });
}

/** Half the distance of two numbers of bfloat16, as a share of them. */
const rounding = 2 ** -8;

/** Each kernel is as far from float64 as the type that it gives rounds. */
function expectEqual(t: Test, found: readonly Comparison[], count: number, isRounded: (what: string) => boolean): void {
  t.equal(found.length, count);
  for (const { what, apart, same } of found) {
    t.ok(apart <= (isRounded(what) ? rounding : 1e-6), `${what}: ${apart}`);
    t.ok(same, `${what}: the same in whatever order its threads go on`);
  }
}

t.test('what comes after and before the products of linear layers', { skip: without }, (t) => {
  const isRounded = (what: string) => /_narrow( without bias)?$|saved$|^linear_before\w*$/.test(what);
  expectEqual(t, compared(t, 'linear'), 3 * (2 * 6 + 4 * 2), isRounded);
  t.end();
});

t.test('layer normalisation, its gradient, and sums over rows', { skip: without }, (t) => {
  expectEqual(t, compared(t, 'norm'), 6, (what) => what === 'layer_norm_narrow');
  t.end();
});

t.test('an update of all parameters, and sums of squares', { skip: without }, (t) => {
  expectEqual(t, compared(t, 'lists'), 5, () => false);
  t.end();
});

t.test('attention of windows, with relative positions and without, and its gradient', { skip: without }, (t) => {
  for (const size of [16, 32, 64]) expectEqual(t, compared(t, 'attention', `-DHEAD=${size}`), 11, () => true);
  t.end();
});

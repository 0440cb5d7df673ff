import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { isTorchBuilt } from '../../src/native.ts';

const header = fileURLToPath(new URL('../../native/torch/fused/simd.h', import.meta.url));
const wanting =
  process.platform !== 'linux' || process.arch !== 'x64' || spawnSync('g++', ['--version']).status !== 0
    ? 'needs g++ for x64 on Linux'
    : false;

/** Whether loops for the processor's tiles are compiled by that GCC, as it names its version. */
function hasTiles(major: number, minor: number): boolean {
  const version = ['-U__GNUC__', '-U__GNUC_MINOR__', `-D__GNUC__=${major}`, `-D__GNUC_MINOR__=${minor}`];
  const { status, stdout } = spawnSync('g++', ['-std=c++17', '-x', 'c++', '-E', '-dM', ...version, header], {
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });
  if (status !== 0) throw new Error(`g++ ended with ${status}`);
  return /^#define PATCHSTREAM_TILES 1$/m.test(stdout);
}

t.test('loops for tiles are compiled where the compiler’s macros for them serve', { skip: wanting }, (t) => {
  t.same(
    [
      [10, 2],
      [11, 1],
      [11, 2],
      [11, 3],
      [12, 1],
      [13, 0],
    ].map(([major, minor]) => hasTiles(major!, minor!)),
    [false, false, false, true, true, true],
  );
  t.end();
});

const addon = fileURLToPath(new URL('../../native/torch/build/torch.node', import.meta.url));
const unbuilt = isTorchBuilt() ? false : 'native/torch is not built';

t.test('loops that there are not are no silent default', { skip: unbuilt }, (t) => {
  const load = (kernels: string) =>
    spawnSync(process.execPath, ['-e', `require(${JSON.stringify(addon)})`], {
      env: { ...process.env, PATCHSTREAM_TORCH_KERNELS: kernels },
      encoding: 'utf8',
    });
  t.match(load('untiled'), {
    status: 1,
    stderr: /PATCHSTREAM_TORCH_KERNELS must be own, plain or aten; got: untiled/,
  });
  for (const kernels of ['', 'own', 'plain', 'aten']) t.equal(load(kernels).status, 0, kernels);
  t.end();
});

/** Prints `info()`, and the numbers of a convolution that panels compute where they are used. */
const convolving = `
  const addon = require(${JSON.stringify(addon)});
  const [ints, numbers] = [new Int32Array(64), new Float64Array(64)];
  addon.open(ints, numbers);
  const make = (shape) =>
    addon.upload(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i)), 0, shape);
  ints.set([make([1, 8, 8, 32]), make([3, 3, 32, 32]), -1]);
  numbers[0] = 0;
  addon.run(addon.names().indexOf('PatchstreamConv3x3'), 3, 1);
  const result = new Float32Array(8 * 8 * 32);
  addon.download(ints[0], result);
  console.log(JSON.stringify({ info: addon.info(), result: [...result] }));
`;

t.test(
  'whether loops for panels and tiles are used is told, and those for panels are used where they are told',
  { skip: unbuilt },
  (t) => {
    const answerOf = (kernels: string) =>
      JSON.parse(
        execFileSync(process.execPath, ['-e', convolving], {
          env: { ...process.env, PATCHSTREAM_TORCH_KERNELS: kernels },
          encoding: 'utf8',
        }),
      );
    const [own, plain, aten] = ['own', 'plain', 'aten'].map(answerOf);
    t.type(own.info.panels, 'boolean');
    t.type(own.info.tiles, 'boolean');
    t.ok(own.info.bfloat16 || !own.info.tiles, 'tiles multiply bfloat16');
    for (const { info } of [plain, aten]) t.match(info, { panels: false, tiles: false });
    const largest = Math.max(...plain.result.map(Math.abs));
    const apart = Math.max(...plain.result.map((number: number, i: number) => Math.abs(number - aten.result[i])));
    t.ok(apart <= 1e-6 * largest, `${apart} apart, of ${largest}`);
    t.equal(own.result.join() !== plain.result.join(), own.info.panels, 'Winograd rounds otherwise');
    t.end();
  },
);

import t from 'tap';
import { isAbsent, torchAddon } from '../../src/native.ts';

const addon = torchAddon();
const skip = isAbsent(addon) ? addon.found : false;

/** Calls an operation of native/torch on tensors of zeros, those of `ids` in int32; the shapes of its results. */
function results(name: string, shapes: readonly number[][], attributes: readonly number[], ids = -1): number[][] {
  if (isAbsent(addon)) throw new Error(addon.found);
  const ints = new Int32Array(256);
  const numbers = new Float64Array(64);
  addon.open(ints, numbers);
  const handles = shapes.map((shape, i) => {
    const size = shape.reduce((product, side) => product * side, 1);
    return addon.upload(i === ids ? new Int32Array(size) : new Float32Array(size), i === ids ? 1 : 0, shape);
  });
  try {
    ints.set(handles);
    numbers.set(attributes);
    const count = addon.run(addon.names().indexOf(name), handles.length, attributes.length);
    const made: number[][] = [];
    for (let i = 0, at = 0; i < count; i++, at += 3 + ints[at + 2]!) {
      handles.push(ints[at]!);
      made.push([...ints.subarray(at + 3, at + 3 + ints[at + 2]!)]);
    }
    return made;
  } finally {
    for (const handle of handles) addon.free(handle);
  }
}

t.test('loops that read and write memory are given nothing that does not fit', { skip }, (t) => {
  const refused = (found: RegExp, ...call: Parameters<typeof results>) =>
    t.throws(() => results(...call), { code: 'LIBTORCH', message: found });
  refused(
    /^rows to be normalised cannot have the shape \[2, 8, 4\]/,
    'PatchstreamLayerNorm',
    [[2, 8, 4], [4], [4]],
    [1e-6],
  );
  const gradient = [[2, 8, 4], [2, 8, 4], [16], [16], [4]];
  refused(/^rows to be normalised cannot have the shape/, 'PatchstreamLayerNormGrad', gradient, []);
  const rows = [
    [1, 3, 8],
    [1, 3, 24],
    [1, 3, 8],
  ];
  refused(/^the shares must be 18 numbers; got 6/, 'PatchstreamAttentionGrad', [...rows, [1, 2, 3]], [2, 0, 0]);
  // As many channels as panels take, and as others do.
  for (const C of [32, 5]) {
    const x = [1, 4, 4, C];
    const weight = [3, 3, C, C];
    const conv = (...shapes: number[][]) => ['PatchstreamConv3x3', shapes, [0]] as const;
    const grad = (...shapes: number[][]) => ['PatchstreamConv3x3Grad', shapes, [1, 0]] as const;
    const wrongWeight = /^the weight must have the shape \[3, 3, \d+, \d+\]; got/;
    refused(wrongWeight, ...conv([1, 4, 4, 2 * C], weight));
    refused(wrongWeight, ...conv(x, [1, 1, C, C]));
    refused(/ have no convolution/, ...conv([4, 4, C], weight));
    refused(/^the bias must be \d+ numbers; got 1/, ...conv(x, weight, [1]));
    refused(wrongWeight, ...grad(x, x, [3, 3, 2 * C, C]));
    refused(/^dy must have the shape \[1, 4, 4, \d+\]; got \[1, 2, 2, \d+\]/, ...grad([1, 2, 2, C], x, weight));
    refused(/^dy must have the shape/, ...grad([1, 4, 4, 2 * C], x, weight));
    t.same(results(...conv(x, weight, [C])), [x]);
    t.same(results(...grad(x, x, weight)), [x, weight, [C]]);
  }
  refused(/^the 4 largest of rows of \[2, 3\]/, 'TopK', [[2, 3]], [4]);
  refused(/^the -1 largest/, 'TopK', [[2, 3]], [-1]);
  t.same(results('TopK', [[2, 3]], [3]), [
    [2, 3],
    [2, 3],
  ]);
  t.end();
});

t.test('of nothing comes nothing', { skip }, (t) => {
  const table = [4, 5];
  t.same(results('PatchstreamAttention', [[2, 0, 24], table, [0, 0]], [2, 0, 0], 2), [
    [2, 0, 8],
    [2, 2, 0, 0],
  ]);
  t.same(results('PatchstreamAttention', [[2, 0, 24], table, [2, 0, 0]], [2, 0, 0], 2), [
    [2, 0, 8],
    [2, 2, 0, 0],
  ]);
  t.same(
    results(
      'PatchstreamGatherTokens',
      [
        [0, 3, 4],
        [0, 2],
      ],
      [],
      1,
    ),
    [[0, 2, 4]],
  );
  t.same(
    results(
      'PatchstreamGatherTokens',
      [
        [2, 3, 0],
        [2, 2],
      ],
      [],
      1,
    ),
    [[2, 2, 0]],
  );
  t.same(
    results(
      'PatchstreamGatherTokensGrad',
      [
        [2, 2, 0],
        [2, 2],
      ],
      [3],
      1,
    ),
    [[2, 3, 0]],
  );
  t.end();
});

/**
 * `node shapes.mjs ADDON ROUNDS SEED` calls every operation of native/torch that reads and writes memory in loops of our own, on tensors of odd sizes; each call once more with something
 * that does not fit, which it may take or refuse, but must bear. Recordings of them are replayed. For scripts/sanitize-torch.mjs.
 */
import { createRequire } from 'node:module';

const [path = '', rounds = '300', seed = '4'] = process.argv.slice(2);
/** @type {import('../../src/native.ts').TorchAddon} */
const addon = createRequire(import.meta.url)(path);
const ints = new Int32Array(1 << 12);
const numbers = new Float64Array(1 << 12);
addon.open(ints, numbers);
addon.setThreads(3);
const opcodes = new Map(addon.names().map((name, i) => [name, i]));

/** Whose loops take bfloat16. */
const onTiles = addon.info().tiles;

let state = Number(seed) >>> 0;
/** A number below `count`: mulberry32. @param {number} count */
function below(count) {
  state = (state + 0x6d2b79f5) >>> 0;
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) % count;
}
/** @template T @param {readonly T[]} list @returns {T} */
const one = (list) => /** @type {T} */ (list[below(list.length)]);
const side = () => one([0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 65]);
const filled = () => side() || 1;
const flag = () => below(2);
/** Of a convolution: every other time as its panels take them. */
const channels = () => (flag() ? [32 * (1 + below(3)), 32 * (1 + below(3))] : [filled(), filled()]);
/** Of its pictures: also around the least that its panels take, and now and then more tiles than are multiplied at a time. */
function places() {
  if (below(48) === 0) return [1 + below(2), 65, one([63, 64, 65])];
  const least = () => one([filled(), 3, 4, 5, 6]);
  return [1 + below(3), least(), least()];
}
/**
 * Rows, width in and width out of a linear layer: now and then as panels take its gradient, or nearly. One panel of x or of y, fewer than four and not a multiple of four, as many numbers of a row as are
 * multiplied at a time and a few more; rows around those that a thread takes at a time, and more than are added up at a time.
 */
function layer() {
  if (below(24) > 0) return [side(), side(), side()];
  const [input, output] = one([
    [32, 12288],
    [12288, 32],
    [384, 1024],
    [416, 1056],
    [832, 544],
    [383, 1056],
    [416, 1040],
  ]);
  return [input + output > 2000 ? one([55, 56, 113]) : one([1, 55, 56, 57, 169, 449, 505]), input, output];
}

/** @typedef {{ shape: number[], ids?: number, narrow?: boolean, value?: number }} Given a tensor: ids below a number, else numbers around 0 of float32 or bfloat16 */
/** @typedef {{ inputs: (Given | undefined)[], numbers: number[] }} Wanted */

/** @param {...number} shape @returns {Given} */
const float = (...shape) => ({ shape });
/** As a replay may give it. @param {Given} given @returns {Given} */
const either = (given) => ({ ...given, narrow: onTiles && flag() === 1 });
/** @param {number} parts @param {(count: number) => number[]} attributes @returns {Wanted} */
function lists(parts, attributes) {
  const shapes = Array.from({ length: 1 + below(3) }, () =>
    one([[], [side()], [side(), side()], [16 * 1024 + side()]]),
  );
  return {
    inputs: Array.from({ length: parts }, () => shapes.map((shape) => float(...shape))).flat(),
    numbers: attributes(shapes.length),
  };
}
/** A list of attributes. @param {number} count @param {number} value */
const each = (count, value) => [count, ...Array.from({ length: count }, () => value)];

/** @param {boolean} grad @returns {Wanted} */
function attention(grad) {
  const [B, T, heads, d, buckets, precision] = [below(3), side(), 1 + below(3), filled(), filled(), flag()];
  const qkv = float(B, T, 3 * heads * d);
  const relative =
    flag() === 1
      ? [float(d, buckets), { shape: flag() === 1 ? [T, T] : [B, T, T], ids: buckets }]
      : [undefined, undefined];
  const mixed = float(B, T, heads * d);
  const shares = { shape: [B, heads, T, T], narrow: precision === 1 };
  return {
    inputs: grad ? [mixed, qkv, mixed, shares, ...relative] : [qkv, ...relative],
    numbers: [heads, flag(), precision],
  };
}

/** @type {Record<string, () => Wanted>} */
const operations = {
  PatchstreamGelu: () => ({ inputs: [float(side(), side())], numbers: [] }),
  PatchstreamLinear() {
    const [rows, input, output, precision] = [side(), side(), side(), flag()];
    const x = float(rows, input);
    return {
      inputs: [precision ? either(x) : x, float(input, output), flag() ? float(output) : undefined],
      numbers: [flag(), precision],
    };
  },
  PatchstreamLinearGrad() {
    const [[rows, input, output], precision] = [layer(), flag()];
    const [dy, x] = [float(rows, output), float(rows, input)];
    const saved = flag() ? { shape: [rows, output], narrow: precision === 1 } : undefined;
    return {
      inputs: [...(precision ? [either(dy), either(x)] : [dy, x]), float(input, output), saved],
      numbers: [flag(), precision],
    };
  },
  PatchstreamLayerNorm() {
    const D = filled();
    return { inputs: [float(side(), D), float(D), float(D)], numbers: [1e-6] };
  },
  PatchstreamLayerNormGrad() {
    const [rows, D] = [side(), filled()];
    return { inputs: [either(float(rows, D)), float(rows, D), float(rows), float(rows), float(D)], numbers: [] };
  },
  PatchstreamAttention: () => attention(false),
  PatchstreamAttentionGrad: () => attention(true),
  PatchstreamGatherTokens() {
    const [N, n] = [side(), filled()];
    return { inputs: [float(N, n, side()), { shape: [N, side()], ids: n }], numbers: [] };
  },
  PatchstreamGatherTokensGrad() {
    const [N, n, k] = [side(), filled(), side()];
    return { inputs: [float(N, k, side()), { shape: [N, k], ids: n }], numbers: [n] };
  },
  PatchstreamConv3x3() {
    const [C, F] = channels();
    return {
      inputs: [float(...places(), C), float(3, 3, C, F), flag() ? float(F) : undefined],
      numbers: [0],
    };
  },
  PatchstreamConv3x3Grad() {
    const [C, F] = channels();
    const at = places();
    return { inputs: [float(...at, F), float(...at, C), float(3, 3, C, F)], numbers: [flag(), 0] };
  },
  PatchstreamAccumulate: () => lists(2, () => []),
  PatchstreamNorms: () => lists(1, () => []),
  PatchstreamZero: () => lists(1, () => []),
  PatchstreamAverage: () => lists(2, () => [one([0, 0.25, 0.75, 1])]),
  PatchstreamAdamW: () => lists(4, (count) => [0.1, 0.9, 0.99, 1e-8, 1, 3, ...each(count, 0.05)]),
  PatchstreamLars: () => lists(3, (count) => [0.1, 0.9, 0.001, 1e-8, 1, ...each(count, 0.05), ...each(count, 1)]),
  PatchstreamLamb: () =>
    lists(4, (count) => [0.1, 0.9, 0.99, 1e-6, 1, 3, flag(), ...each(count, 0.05), ...each(count, 1)]),
  PatchstreamLion: () => lists(3, (count) => [0.1, 0.9, 0.99, 1, ...each(count, 0.05)]),
  TopK() {
    const size = side();
    return { inputs: [float(below(5), size)], numbers: [below(size + 1)] };
  },
};

/** A handle of a new tensor. @param {Given} given */
function make({ shape, ids, narrow }) {
  const values = new (ids === undefined ? Float32Array : Int32Array)(shape.reduce((size, side) => size * side, 1));
  for (let i = 0; i < values.length; i++) values[i] = ids === undefined ? below(2000) / 1000 - 1 : below(ids);
  return addon.upload(values, ids === undefined ? (narrow ? 3 : 0) : 1, shape);
}

/** Calls an operation; the handles of its results. @param {string} name @param {readonly number[]} handles @param {readonly number[]} attributes */
function call(name, handles, attributes) {
  ints.set(handles);
  numbers.set(attributes);
  const count = addon.run(/** @type {number} */ (opcodes.get(name)), handles.length, attributes.length);
  const results = [];
  for (let i = 0, at = 0; i < count; i++, at += 3 + ints[at + 2]) results.push(ints[at]);
  return results;
}

/** @param {Wanted} wanted */
const handlesOf = ({ inputs }) => inputs.map((given) => (given === undefined ? -1 : make(given)));
/** @param {readonly number[]} handles */
function free(handles) {
  for (const handle of handles) if (handle >= 0) addon.free(handle);
}

/** Something of it is otherwise: a side, a dimension, an input that is not there, ids that are too large, an attribute. @param {Wanted} wanted @returns {Wanted} */
function spoiled(wanted) {
  const inputs = wanted.inputs.map((given) => given && { ...given, shape: [...given.shape] });
  const attributes = [...wanted.numbers];
  const at = below(inputs.length);
  const given = inputs[at] ?? { shape: [side()] };
  const place = below(given.shape.length + 1);
  one([
    () => given.shape.splice(place, 1, Math.max(0, (given.shape[place] ?? 0) + one([-1, 1, 16]))),
    () => given.shape.splice(place, 0, one([1, 2])),
    () => given.shape.splice(place, 1),
    () => (inputs[at] = undefined),
    () => inputs.splice(at, 1),
    () => (given.ids = given.ids === undefined ? 3 : given.ids + 5),
    () => (given.narrow = !given.narrow),
    () => attributes.splice(below(attributes.length + 1), 1, one([-1, 0, 1, 2, 1000])),
    () => attributes.pop(),
  ])();
  if (inputs.length > at && inputs[at] !== undefined) inputs[at] = given;
  return { inputs, numbers: attributes };
}

const counts = { taken: 0, spoiledTaken: 0, refused: 0, replayed: 0 };
for (let round = 0; round < Number(rounds); round++) {
  for (const [name, wanted] of Object.entries(operations)) {
    const good = wanted();
    const handles = handlesOf(good);
    addon.record(Int32Array.from(handles.filter((handle) => handle >= 0)));
    free(call(name, handles, good.numbers));
    const program = addon.stop();
    counts.taken++;
    if (addon.replay(program, Int32Array.from(handles.filter((handle) => handle >= 0)))) counts.replayed++;
    addon.discard(program);
    free(handles);
    const bad = spoiled(good);
    const others = handlesOf(bad);
    try {
      free(call(name, others, bad.numbers));
      counts.spoiledTaken++;
    } catch (error) {
      if (/** @type {{ code?: string }} */ (error).code === undefined) throw error;
      counts.refused++;
    }
    free(others);
  }
}
if (addon.memory().tensors !== 0) throw new Error(`${addon.memory().tensors} tensors are left`);
console.log(
  `${counts.taken} calls of ${Object.keys(operations).length} operations and ${counts.replayed} replays; of as many that do not fit, ${counts.refused} were refused and ${counts.spoiledTaken} taken`,
);

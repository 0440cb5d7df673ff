import { Constants } from '../../backends/constants.ts';
import { gatherTokens, softCrossEntropy } from '../../backends/ops.ts';
import { mixCells } from '../../backends/resample.ts';
import * as tf from '../../backends/tf.ts';
import { fail } from '../../errors.ts';
import { type BlockPaths, pathInputs, pathsOf } from '../classifier/drop-path.ts';
import { field, input, learned } from '../layers/learned.ts';
import { normalised, patchesOf } from '../layers/pixels.ts';
import { biasResampling, biasRows, biasSide, offsetsOneHot } from '../layers/relative-bias.ts';
import { block, norm, parameter, project } from '../layers/vit.ts';
import { withCls } from '../lomar/blocks.ts';
import { windowPlaces } from '../lomar/inputs.ts';
import type { CodePredictor, Encoder, HostBatch, HostTensor, Params, RandomSource } from '../model.ts';
import { type BeitEncoderShape, type BeitShape, beitParameters, sharedBias } from './options.ts';

/**
 * A micro-batch on the backend: `picture` [N, H, W, 3], values 0–255; `masks` [N, T], 1 hidden, T all patches of all windows, or of the grid; `hide` [N, k]
 * int32, the places of the hidden ones among them; their `codes` [N, k] int32; `weights` [N, k], 0 where fewer are hidden; with windows `tokens` [N, T] int32, the
 * places of their patches in the grid; with drop path `paths` [N, M, 2L].
 */
export type BeitInputs = Readonly<Record<string, tf.Tensor>>;

/** BEiT, on the whole picture or in LoMaR's windows. */
export interface Beit extends CodePredictor, Encoder {
  readonly shape: BeitShape;
}

/**
 * Makes BEiT: hidden patches are replaced by a token, and a plain encoder tells their codes. Sources: Bao et al. 2021 (arXiv 2106.08254), with its published code
 * for initialisation, biases and scales; for windows LoMaR (arXiv 2206.00790), section 5, which leaves open how they are masked.
 *
 * @param name `beit` or `lomar-beit`.
 */
export function beit(name: string, shape: BeitShape): Beit {
  const constants = new Constants();
  const list = learned(beitParameters(shape));
  const { vocabulary } = shape;
  const scored = (params: Params, inputs: BeitInputs) => scores(params, inputs, shape, constants);
  return {
    name,
    shape,
    fields: [...(shape.windows > 0 ? ['picture', 'windows', 'masks'] : ['picture', 'masks']), 'codes'],
    ...list,
    inputs: (batch, chance) => beitInputs(batch, shape, chance),
    terms: ({ weights }) => (weights!.data as Float32Array).reduce((sum, weight) => sum + weight, 0),
    loss: (params, inputs) => {
      const codes = input(inputs, 'codes').flatten();
      const wrong = softCrossEntropy(scored(params, inputs), tf.oneHot(codes.toInt(), vocabulary).toFloat());
      return { sum: wrong.mul(input(inputs, 'weights').flatten()).sum(), count: codes.size };
    },
    codeScores: (params, inputs) => tf.tidy(() => scored(params, inputs)),
    encode: (params, inputs) =>
      tf.tidy(() => {
        const pictures = input(inputs, 'picture');
        const side = pictures.shape[1]! / shape.patch;
        const tokens = embedded(params, patchesOf(pictures, shape.patch), constants);
        const bias = pairBias(tableFor(params, side, constants), side, constants);
        return norm(
          params,
          'norm',
          encoded(params, tokens, shape, () => bias),
        ) as tf.Tensor3D;
      }),
    decays: (parameter) => parameter !== 'cls_token' && list.decays(parameter),
    dispose: () => constants.dispose(),
  };
}

/** Scores of the codes of the hidden patches, [N·k, V]. */
function scores(params: Params, inputs: BeitInputs, shape: BeitShape, constants: Constants): tf.Tensor2D {
  const { patch, K, width: D } = shape;
  const patches = patchesOf(input(inputs, 'picture'), patch);
  const N = patches.shape[0];
  // Embedding is linear patch by patch, so cutting the windows first is equal, and less work.
  const cut = inputs.tokens === undefined ? patches : gatherTokens(patches, inputs.tokens as tf.Tensor2D);
  const hidden = input(inputs, 'masks').expandDims(-1);
  const seen = embedded(params, cut, constants).mul(tf.sub(1, hidden));
  const tokens = seen.add(parameter(params, 'mask_token').mul(hidden)).reshape([-1, K * K, D]);
  const bias = pairBias(parameter(params, `${sharedBias}.relative_position_bias_table`), K, constants);
  const x = encoded(params, tokens, shape, () => bias, pathsOf(inputs, shape));
  const places = x.slice([0, 1, 0], [-1, -1, -1]).reshape([N, -1, D]) as tf.Tensor3D;
  // The last normalisation acts on each token alone.
  const picked = gatherTokens(places, input(inputs, 'hide').toInt() as tf.Tensor2D).reshape([-1, D]);
  return project(params, 'lm_head', norm(params, 'norm', picked)) as tf.Tensor2D;
}

function embedded(params: Params, patches: tf.Tensor, constants: Constants): tf.Tensor {
  return project(params, 'patch_embed.proj', normalised(patches, constants));
}

/**
 * Tokens of grids [B, K², D], a cls token in front, through the blocks: [B, K² + 1, D], not yet normalised.
 *
 * @param biasOf of each block, [h, T, T].
 */
export function encoded(
  params: Params,
  tokens: tf.Tensor,
  { depth, heads }: Pick<BeitEncoderShape, 'depth' | 'heads'>,
  biasOf: (block: number) => tf.Tensor,
  paths?: BlockPaths,
): tf.Tensor {
  let x = withCls(params, tokens);
  for (let i = 0; i < depth; i++) x = block(params, `blocks.${i}`, x, heads, { bias: biasOf(i) }, paths?.[i]);
  return x;
}

/**
 * The bias of each head and pair of a grid, cls in front: a table [rows, h] to [h, T, T]. Rows and columns are two products with small one-hot matrices: a table has
 * few rows and there are many pairs, and the gradient is the same two products turned over, on every backend.
 */
export function pairBias(table: tf.Tensor, side: number, constants: Constants): tf.Tensor {
  const heads = table.shape[1]!;
  const [n, span] = [side * side, 2 * side - 1];
  const offsets = constants.get(`offsets ${side}`, () => tf.tensor2d(offsetsOneHot(side), [n, span])) as tf.Tensor2D;
  const byHead = table.transpose();
  // [h, offsets of rows, offsets of columns] -> [h, columns, rows] by pairs -> [h, rows, columns] by pairs
  const square = byHead.slice([0, 0], [heads, span * span]).reshape([heads, span, span]);
  const rows = mixCells(square as tf.Tensor3D, offsets).transpose([0, 2, 1]);
  const pairs = mixCells(rows as tf.Tensor3D, offsets).transpose([0, 2, 1]);
  // (row, row') and (column, column') to (row, column) and (row', column')
  const patches = pairs
    .reshape([heads * side, side, side, side])
    .transpose([0, 2, 1, 3])
    .reshape([heads, n, n]);
  const [fromCls, toCls, cls] = [0, 1, 2].map((i) =>
    byHead.slice([0, span * span + i], [heads, 1]).reshape([heads, 1, 1]),
  );
  const top = tf.concat([cls!, tf.zeros([heads, 1, n]).add(fromCls!)], 2);
  return tf.concat([top, tf.concat([tf.zeros([heads, n, 1]).add(toCls!), patches], 2)], 1);
}

/** The shared table, brought to the grid of other pictures where it is of another. */
function tableFor(params: Params, side: number, constants: Constants): tf.Tensor {
  const table = parameter(params, `${sharedBias}.relative_position_bias_table`);
  const [rows] = table.shape as [number];
  const from = biasSide(rows)!;
  if (from === side) return table;
  const matrix = constants.get(`bias ${from} to ${side}`, () =>
    tf.tensor2d(Float32Array.from(biasResampling(from, side)), [biasRows(side), rows]),
  );
  return mixCells(table.expandDims(0) as tf.Tensor3D, matrix as tf.Tensor2D).squeeze([0]);
}

/** Pictures as they are, and what is hidden of them: places and codes. */
function beitInputs(batch: HostBatch, shape: BeitShape, chance?: RandomSource): HostBatch {
  const { K, windows: M, side } = shape;
  const picture = field(batch, 'picture', 'uint8', 4);
  const N = picture.shape[0]!;
  const tokens = M > 0 ? windowPlaces(batch, shape) : undefined;
  const views = tokens === undefined ? 1 : tokens.shape[1]! / (K * K);
  const masks = field(batch, 'masks', 'uint8', tokens === undefined ? 2 : 3);
  const T = views * K * K;
  if (masks.data.length !== N * T) throw wrongField('masks', `uint8 [N, ${K * K}]`, masks);
  const codes = field(batch, 'codes', 'int32', 2);
  if (codes.data.length !== N * side * side) throw wrongField('codes', `int32 [N, ${side * side}]`, codes);
  const k = views * shape.hidden;
  const int32 = () => ({ dtype: 'int32', shape: [N, k], data: new Int32Array(N * k) }) as const;
  const [hide, answers] = [int32(), int32()];
  const weights = new Float32Array(N * k);
  for (let n = 0; n < N; n++) {
    let at = n * k;
    for (let place = 0; place < T; place++) {
      if (masks.data[n * T + place] === 0) continue;
      if (at === (n + 1) * k) throw wrongField('masks', `at most ${k} hidden patches in a picture`, masks);
      const code = codes.data[n * side * side + (tokens?.data[n * T + place] ?? place)]!;
      if (code < 0 || code >= shape.vocabulary) throw wrongField('codes', `0 to ${shape.vocabulary - 1}`, codes, code);
      hide.data[at] = place;
      answers.data[at] = code;
      weights[at++] = 1;
    }
  }
  return {
    picture,
    masks: { dtype: 'uint8', shape: [N, T], data: masks.data as Uint8Array },
    hide,
    codes: answers,
    weights: { dtype: 'float32', shape: [N, k], data: weights },
    ...(tokens && { tokens }),
    ...pathInputs(chance, shape, N, views),
  };
}

function wrongField(name: string, expected: string, { dtype, shape }: HostTensor, found?: number) {
  return fail('MODEL_FIELD', { field: name, expected, found: found ?? `${dtype} [${shape.join(', ')}]` });
}

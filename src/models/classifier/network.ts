import { Constants } from '../../backends/constants.ts';
import { softCrossEntropy } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import { encoded as encodedWithBias, pairBias } from '../beit/network.ts';
import { withOneCls } from '../layers/encoder.ts';
import { field, input, learned } from '../layers/learned.ts';
import { normalised, patchesOf } from '../layers/pixels.ts';
import { block, norm, parameter, project } from '../layers/vit.ts';
import { encoded } from '../lomar/blocks.ts';
import type { Classifier, Encoder, HostBatch, Params, RandomSource } from '../model.ts';
import { type BlockPaths, pathInputs, pathsOf } from './drop-path.ts';
import { mixes } from './mixing.options.ts';
import { drawMix, mixedPictures, mixInputs, softTargets } from './mixing.ts';
import { type ClassifierShape, classifierParameters } from './options.ts';

/**
 * Makes a classifier: a whole encoder, nothing hidden, and a linear head on the mean of its patch tokens or on its cls token. It is how a pre-trained
 * encoder is fine-tuned. Inputs: `picture` [N, H, W, 3], values 0–255; `target` [N, C]; with mixing `mixRows` [N, H] and `mixColumns` [N, W]; with drop path `paths`
 * [N, 1, 2L]. Its vectors are what the head reads; the tokens beside that go through the same normalisation. Source: MAE (arXiv 2111.06377), appendix A.1, and LoMaR (arXiv 2206.00790), section 4.1, with their published codes.
 */
export function classifier(shape: ClassifierShape): Classifier & Encoder {
  const constants = new Constants();
  const list = learned(classifierParameters(shape));
  const own = new Set(list.parameters);
  return {
    name: 'classifier',
    fields: ['picture', 'label'],
    ...list,
    pairs: mixes(shape.mixing),
    // What a masked model has beside its encoder, and the normalisation that the other way of pooling takes.
    ignores: (name) =>
      !own.has(name) &&
      /^(mask_token$|decoder_|lr_embed\.|super_resolution\.|norm\.|lm_head\.|rel_pos_bias\.)/.test(name),
    inputs: (batch, chance) => classifierInputs(batch, shape, chance),
    loss: (params, inputs) => {
      const logits = scores(params, mixedPictures(inputs), shape, constants, pathsOf(inputs, shape));
      return { sum: softCrossEntropy(logits, input(inputs, 'target')).sum(), count: logits.shape[0] };
    },
    classify: (params, inputs) => tf.tidy(() => scores(params, input(inputs, 'picture'), shape, constants)),
    encode: (params, inputs) =>
      tf.tidy(() => {
        const tokens = tokensOf(params, input(inputs, 'picture'), shape, constants);
        return withOneCls(norm(params, lastNorm(shape), tokens) as tf.Tensor3D, shape);
      }),
    ...(shape.pool === 'mean' && {
      encodeMean: (params: Params, inputs: Readonly<Record<string, tf.Tensor>>) =>
        tf.tidy(() => pooled(params, tokensOf(params, input(inputs, 'picture'), shape, constants), shape)),
    }),
    // Tokens and positions are not decayed here, as in the recipes.
    decays: (name) => name !== 'cls_token' && name !== 'pos_embed' && list.decays(name),
    dispose: () => constants.dispose(),
  };
}

/** Scores [N, C] of pictures [N, H, W, 3]. */
function scores(
  params: Params,
  pictures: tf.Tensor,
  shape: ClassifierShape,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor2D {
  const read = pooled(params, tokensOf(params, pictures, shape, constants, paths), shape);
  return project(params, 'head', read) as tf.Tensor2D;
}

/** The normalisation between the blocks and the head. */
function lastNorm({ pool }: ClassifierShape): string {
  return pool === 'mean' ? 'fc_norm' : 'norm';
}

/** What the head reads [N, D], of tokens [N, c + n, D] as the last block gives them. */
function pooled(params: Params, tokens: tf.Tensor, shape: ClassifierShape): tf.Tensor2D {
  const { pool, clsTokens: c = 1 } = shape;
  const read =
    pool === 'mean'
      ? norm(params, lastNorm(shape), tokens.slice([0, c, 0], [-1, -1, -1]).mean(1))
      : norm(params, lastNorm(shape), tokens.slice([0, 0, 0], [-1, c, -1])).mean(1);
  return read as tf.Tensor2D;
}

/** Tokens of pictures [N, H, W, 3], cls first, as the last block gives them: [N, c + n, D]. */
function tokensOf(
  params: Params,
  pictures: tf.Tensor,
  shape: ClassifierShape,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor {
  const { K, patch, positions, depth, heads, clsTokens: c = 1 } = shape;
  const tokens = project(params, 'patch_embed.proj', normalised(patchesOf(pictures, patch), constants));
  let x: tf.Tensor;
  if (positions === 'relative') x = encoded(params, tokens, [K, K], shape, constants, paths);
  else if (positions === 'bias') {
    const biasOf = (i: number) => {
      const table = parameter(params, `blocks.${i}.attn.relative_position_bias_table`);
      return pairBias(table, K, constants);
    };
    x = encodedWithBias(params, tokens, shape, biasOf, paths);
  } else {
    const table = parameter(params, 'pos_embed');
    // Added to zeros rather than tiled: a tile's gradient is a slice per picture.
    const cls = tf.zeros([tokens.shape[0]!, c, shape.width]).add(parameter(params, 'cls_token'));
    x = tf.concat([cls, tokens], 1).add(table);
    for (let i = 0; i < depth; i++) x = block(params, `blocks.${i}`, x, heads, undefined, paths?.[i]);
  }
  return x;
}

/** Pictures as they are, and what is to be answered; how the step mixes them, and which paths it drops. */
function classifierInputs(batch: HostBatch, shape: ClassifierShape, chance?: RandomSource): HostBatch {
  const picture = field(batch, 'picture', 'uint8', 4);
  const label = field(batch, 'label', 'int32', 1);
  const [N, height, width] = picture.shape as [number, number, number];
  const { classes, labelSmoothing, mixing } = shape;
  const mix = chance && mixes(mixing) ? drawMix(chance.step('mix'), mixing, [height, width]) : undefined;
  const mixed = mix === undefined ? {} : mixInputs(mix, N, [height, width]);
  const target = softTargets(label, classes, labelSmoothing, mix?.lambda);
  return { picture, target, ...mixed, ...pathInputs(chance, shape, N) };
}

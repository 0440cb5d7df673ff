import type { Constants } from '../../backends/constants.ts';
import { gatherTokens, rowBuckets } from '../../backends/ops.ts';
import * as tf from '../../backends/tf.ts';
import type { BlockPaths } from '../classifier/drop-path.ts';
import { decodeTokens } from '../layers/encoder.ts';
import { input } from '../layers/learned.ts';
import { normalised, patchesOf } from '../layers/pixels.ts';
import { bucketCount } from '../layers/relative.ts';
import { norm, parameter, project, type Relative } from '../layers/vit.ts';
import type { Params } from '../model.ts';
import { enlarged } from '../srmae/network.ts';
import { superResolve } from '../srmae/super-resolution.ts';
import { gridRelative, headed, type LomarInputs, placesOf, throughBlocks, withCls } from './blocks.ts';
import { blocksOfVisible, type LomarShape } from './options.ts';

/**
 * Windows of which only the visible patches are seen first. What stands for the hidden ones, a mask token or their low-resolution patches, comes in at a later block
 * of the encoder, or in a decoder.
 *
 * @param inputs also `visible` [N, M·k] and `hidden` [N, M·(K² − k)], places in the picture's grid; `restore` [N, M·(K² + 1)], where cls and every patch of a
 * window stand among (cls, visible, hidden); `buckets` [N, M·(k + 1)²] of the visible ones' relative positions, where blocks see them alone; `lr` [N, h, w, 3], values
 * 0–255, where hidden patches are given at low resolution.
 * @returns predictions [N·M, K², p²·3] of all patches of all windows.
 */
export function predictFromVisible(
  params: Params,
  inputs: LomarInputs,
  shape: LomarShape,
  constants: Constants,
  paths?: BlockPaths,
): tf.Tensor {
  const { K, width: D, decoder, absolute, lowResolution } = shape;
  const to = blocksOfVisible(shape);
  const seen = visibleTokens(params, inputs, shape, constants);
  let x = throughBlocks(params, seen, shape, { to, relative: visibleRelative(inputs, shape), paths });
  const width = decoder?.width ?? D;
  if (decoder !== undefined) {
    x = project(params, 'decoder_embed', norm(params, 'norm', x));
    if (absolute !== undefined) {
      const places = placesOf(inputs, 'visible', shape, width, constants);
      x = x.add(tf.concat([tf.zeros([places.shape[0]!, 1, width]), places], 1));
    }
  }
  let hidden = hiddenTokens(params, inputs, shape, width, constants);
  if (absolute !== undefined) hidden = hidden.add(placesOf(inputs, 'hidden', shape, width, constants));
  const full = gatherTokens(tf.concat([x, hidden], 1) as tf.Tensor3D, perWindow(inputs, 'restore') as tf.Tensor2D);
  const relative = absolute === undefined ? gridRelative([K, K], shape, constants) : undefined;
  if (decoder === undefined) return headed(params, throughBlocks(params, full, shape, { from: to, relative, paths }));
  if (lowResolution === undefined) return decodeTokens(params, full, decoder, { relative });
  const cells = full.slice([0, 1, 0], [-1, -1, -1]).reshape([-1, K, K, width]) as tf.Tensor4D;
  const resolved = superResolve(lowResolution, params, cells, constants).reshape([-1, K * K, width]);
  const cls = full.slice([0, 0, 0], [-1, 1, -1]);
  return decodeTokens(params, tf.concat([cls, resolved], 1), decoder, { relative });
}

/** The visible patches of each window, embedded, with absolute positions where the model has them, and cls in front: [N·M, k + 1, D]. */
function visibleTokens(params: Params, inputs: LomarInputs, shape: LomarShape, constants: Constants): tf.Tensor {
  const patches = patchesOf(input(inputs, 'picture'), shape.patch);
  const tokens = project(params, 'patch_embed.proj', normalised(cut(patches, inputs, 'visible'), constants));
  if (shape.absolute === undefined) return withCls(params, tokens);
  return withCls(params, tokens.add(placesOf(inputs, 'visible', shape, shape.width, constants)));
}

/** What stands for the hidden patches of each window: [N·M, K² − k, D]. */
function hiddenTokens(params: Params, inputs: LomarInputs, shape: LomarShape, D: number, constants: Constants) {
  if (shape.lowResolution === undefined) {
    const [rows, count] = perWindow(inputs, 'hidden').shape as [number, number];
    // Added to zeros rather than tiled: a tile's gradient is a slice per window.
    return tf.zeros([rows, count, D]).add(parameter(params, 'mask_token'));
  }
  const small = enlarged(input(inputs, 'lr'), input(inputs, 'picture').shape[1]!, constants);
  const low = cut(patchesOf(small, shape.patch), inputs, 'hidden');
  return project(params, 'lr_embed', normalised(low, constants));
}

/** The relative positions of visible patches, of each window its own; none where they are absolute, or no block sees them alone. */
function visibleRelative(inputs: LomarInputs, { rpeScaled }: LomarShape): Relative | undefined {
  if (inputs.buckets === undefined) return undefined;
  const pairs = perWindow(inputs, 'buckets');
  const T = Math.sqrt(pairs.shape[1]!);
  return { buckets: rowBuckets(pairs.reshape([-1, T, T]), bucketCount), scaled: rpeScaled };
}

/** The patches [N, n, p²·3] at the places of the input `name`: [N·M, places, p²·3]. */
function cut(patches: tf.Tensor3D, inputs: LomarInputs, name: string): tf.Tensor {
  const picked = gatherTokens(patches, input(inputs, name) as tf.Tensor2D);
  return picked.reshape([-1, perWindow(inputs, name).shape[1]!, patches.shape[2]]);
}

/** An input [N, M·count] with a row for each window: [N·M, count]. */
function perWindow(inputs: LomarInputs, name: string): tf.Tensor {
  const values = input(inputs, name);
  return values.reshape([-1, values.shape[1]! / input(inputs, 'masks').shape[1]!]);
}

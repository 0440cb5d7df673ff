import { centerCrop } from './center-crop.ts';
import { cropBox } from './crop-box.ts';
import { decode } from './decode.ts';
import { downsample } from './downsample.ts';
import { faceCrop } from './face-crop.ts';
import { mask } from './mask.ts';
import { perceptualHash } from './perceptual-hash.ts';
import { randomFlip } from './random-flip.ts';
import { randomResizedCrop } from './random-resized-crop.ts';
import { resize } from './resize.ts';
import { windows } from './windows.ts';

/** Every stage that comes with patchstream, in the order of a usual chain. A registry is made from this list. */
export const stages = [
  decode,
  cropBox,
  faceCrop,
  resize,
  centerCrop,
  randomResizedCrop,
  randomFlip,
  downsample,
  windows,
  mask,
  perceptualHash,
] as const;

export {
  centerCrop,
  cropBox,
  decode,
  downsample,
  faceCrop,
  mask,
  perceptualHash,
  randomFlip,
  randomResizedCrop,
  resize,
  windows,
};

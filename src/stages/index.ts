import { colorJitter } from './augment/color-jitter.ts';
import { gaussianBlur } from './augment/gaussian-blur.ts';
import { randAugment } from './augment/rand-augment.ts';
import { randomErasing } from './augment/random-erasing.ts';
import { randomGrayscale } from './augment/random-grayscale.ts';
import { solarize } from './augment/solarize.ts';
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
  randAugment,
  colorJitter,
  randomGrayscale,
  gaussianBlur,
  solarize,
  randomErasing,
  downsample,
  windows,
  mask,
  perceptualHash,
] as const;

export {
  centerCrop,
  colorJitter,
  cropBox,
  decode,
  downsample,
  faceCrop,
  gaussianBlur,
  mask,
  perceptualHash,
  randAugment,
  randomErasing,
  randomFlip,
  randomGrayscale,
  randomResizedCrop,
  resize,
  solarize,
  windows,
};

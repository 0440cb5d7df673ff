import type { Format } from './headers/formats.ts';

/** A rectangle in pixels of the picture as it stands (after orientation and the operations before). Integers. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Rendered pixels: uint8 RGB, rows first, [height, width, 3]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The sides of a picture or a part of one, in pixels. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** A rectangle that may stand at an angle, in pixels of the picture. None of its numbers need be whole. */
export interface Frame {
  /** Its middle, from the upper left corner of the picture. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** How far its upper side is turned from the picture's, clockwise as one sees it, in radians. */
  readonly angle: number;
}

/** How pixels between pixels are made. When a picture gets smaller every kernel but `nearest` is stretched, so that nothing aliases (as in Pillow). */
export const kernels = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type Kernel = (typeof kernels)[number];

/** How a picture is brought to a size of other proportions: cut what juts out, leave a border, or distort. */
export const fits = ['cover', 'contain', 'fill'] as const;
export type Fit = (typeof fits)[number];

/** Red, green, blue, 0–255. */
export type Colour = readonly [number, number, number];

/** Whether it is no grey. */
export const isColoured = ([red, green, blue]: Colour): boolean => red !== green || green !== blue;

/** Where a picture's pixels come from. */
export type Origin =
  /**
   * An encoded file. `orientation` is EXIF's 1–8. One with an alpha channel, `alpha`, is laid on `background`. `plain`: its colours are grey or sRGB's, and the
   * native renderer decodes it where it has the format. `grey`: known to have no colours.
   */
  | {
      readonly kind: 'encoded';
      readonly bytes: Uint8Array;
      readonly format: Format;
      readonly orientation: number;
      readonly alpha: boolean;
      readonly background: Colour;
      readonly plain: boolean;
      readonly grey?: boolean;
      readonly maxPixels: number;
    }
  /** Pixels as they are: [height, width, channels] uint8, grey or RGB. */
  | {
      readonly kind: 'raw';
      readonly data: Uint8Array;
      readonly width: number;
      readonly height: number;
      readonly channels: 1 | 3;
    };

/** The rows of an affine map: place (x, y) is looked up at (a·x + b·y + c, d·x + e·y + f). */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/**
 * A change of the pixels of a picture, which keeps its size. Pixels are uint8 before and after. All but `blur`, `noise` and `fill` follow Pillow's operations: at
 * most 2 of 255 from them, as a rule 0.
 */
export type Effect =
  /** Pixels looked up elsewhere (`Image.transform`): bicubic with Pillow's −1 there, rounded down; what lies outside of the picture has the colour `background`. */
  | { readonly kind: 'affine'; readonly matrix: Affine; readonly background: Colour }
  /** Each channel stretched to 0–255, or with as many pixels at every value as can be. */
  | { readonly kind: 'autoContrast' | 'equalize' }
  /** Keeps the `bits` upper bits, 0 to 8. */
  | { readonly kind: 'posterize'; readonly bits: number }
  /** Inverts the values from `threshold` on, 0 to 256: 0 inverts all. */
  | { readonly kind: 'solarize'; readonly threshold: number }
  /** Adds `add`, 0 to 255, to the values below 128. */
  | { readonly kind: 'solarizeAdd'; readonly add: number }
  /** The picture against black, or against its mean luma: factor 0 gives that, 1 the picture, and up to 100 what lies beyond it (`ImageEnhance`). */
  | { readonly kind: 'brightness' | 'contrast'; readonly factor: number }
  /** The same against its luma (0: grey), or against itself smoothed. */
  | { readonly kind: 'saturation' | 'sharpness'; readonly factor: number }
  /** Turns the hue by `shift` of 256 parts of the circle, a whole number. */
  | { readonly kind: 'hue'; readonly shift: number }
  /** A Gaussian of that standard deviation in pixels, 0.01 to 100; beyond the border its pixels repeat. */
  | { readonly kind: 'blur'; readonly sigma: number }
  /** Normal noise of ImageNet's mean and spread in `box`, for every value its own, from the stream of Philox with that key (see `noise.ts`). */
  | { readonly kind: 'noise'; readonly box: Box; readonly key: readonly [number, number] }
  /** One colour in `box`. */
  | { readonly kind: 'fill'; readonly box: Box; readonly colour: Colour };

/** One thing to be done to the pixels. `settle` is nothing but a promise: the pixels are rounded to uint8 here. */
export type Operation =
  | { readonly kind: 'crop'; readonly box: Box }
  | { readonly kind: 'resize'; readonly width: number; readonly height: number; readonly kernel: Kernel }
  | {
      readonly kind: 'pad';
      readonly width: number;
      readonly height: number;
      readonly left: number;
      readonly top: number;
      readonly background: Colour;
    }
  | {
      readonly kind: 'turn';
      readonly frame: Frame;
      readonly width: number;
      readonly height: number;
      readonly background: Colour;
    }
  | { readonly kind: 'flip' }
  | { readonly kind: 'effect'; readonly effect: Effect }
  | { readonly kind: 'settle' };

/** What renderers read of a picture: where its pixels come from and what is done to them. A `Picture` is one. */
export interface LazyPicture {
  readonly width: number;
  readonly height: number;
  readonly origin: Origin;
  /** The picture that this one was made from, and how; absent at the origin. */
  readonly from: { readonly picture: LazyPicture; readonly operation: Operation } | undefined;
}

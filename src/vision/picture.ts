import { fail } from '../errors.ts';
import type { Box, Colour, Effect, Fit, Frame, Kernel, Operation, Origin, Pixels } from './geometry.ts';
import { renderPixels } from './render/render.ts';
import { boundsOf } from './render/turn.ts';

export type { Box, Colour, Fit, Kernel, Operation, Origin, Pixels } from './geometry.ts';
export { fits, kernels } from './geometry.ts';

const longestSide = 65535;

export interface ResizeOptions {
  readonly width: number;
  readonly height: number;
  /** Default `cover`. */
  readonly fit?: Fit;
  /** Default `bicubic`. */
  readonly kernel?: Kernel;
  /** The colour of the border of `contain`. Default black. */
  readonly background?: Colour;
}

/**
 * An image and what is to be done to it. Immutable and lazy: `crop`, `cropTurned`, `resize`, `flip` and `apply` only describe, and give a new picture; pixels
 * are made once, by `render`, straight into where they are wanted. Made by `openPicture` (encoded bytes) and `rawPicture`.
 * `width` and `height` are in pixels, after orientation and all operations.
 */
export class Picture {
  readonly width: number;
  readonly height: number;
  readonly origin: Origin;
  /** The picture this one was made from, and how; absent at the origin. */
  readonly from: { readonly picture: Picture; readonly operation: Operation } | undefined;

  constructor(origin: Origin, width: number, height: number, from?: { picture: Picture; operation: Operation }) {
    this.origin = origin;
    this.width = width;
    this.height = height;
    this.from = from;
  }

  /** The encoded file, when there is one. */
  get bytes(): Uint8Array | undefined {
    return this.origin.kind === 'encoded' ? this.origin.bytes : undefined;
  }

  /** EXIF's orientation of the file, 1–8; 1 for raw pixels. Pixels are always rendered upright. */
  get orientation(): number {
    return this.origin.kind === 'encoded' ? this.origin.orientation : 1;
  }

  /** The part of the picture in `box`. @throws PICTURE_BOX when the box has no pixels, juts out or is not of integers. */
  crop(box: Box): Picture {
    const { left, top, width, height } = box;
    const inside =
      [left, top, width, height].every(Number.isInteger) &&
      left >= 0 &&
      top >= 0 &&
      width > 0 &&
      height > 0 &&
      left + width <= this.width &&
      top + height <= this.height;
    if (!inside) throw this.#boxError(box);
    if (width === this.width && height === this.height) return this;
    return this.#with({ kind: 'crop', box: { left, top, width, height } }, width, height);
  }

  /**
   * The part in `box`, which may jut out of the picture: what lies outside of it has the colour `background`.
   * @throws PICTURE_BOX when the box has no pixel of the picture, or is not of integers.
   */
  cropPadded(box: Box, background: Colour = [0, 0, 0]): Picture {
    const { left, top, width, height } = box;
    const [inLeft, inTop] = [Math.max(0, left), Math.max(0, top)];
    const [inRight, inBottom] = [Math.min(this.width, left + width), Math.min(this.height, top + height)];
    // The numbers that were given, and not those of a part that is not there.
    if (!(inRight > inLeft && inBottom > inTop)) throw this.#boxError(box);
    const inside = this.crop({ left: inLeft, top: inTop, width: inRight - inLeft, height: inBottom - inTop });
    if (inside.width === width && inside.height === height) return inside;
    const place = { width, height, left: inLeft - left, top: inTop - top };
    return inside.#with({ kind: 'pad', ...place, background }, width, height);
  }

  /**
   * What lies in `frame`, upright: round(frame.width) × round(frame.height) pixels, made bicubically. What lies outside of the picture has the colour
   * `background`. A crop and a resize behind it that keeps the proportions are done in one with it.
   * @throws PICTURE_BOX when the frame lies outside of the picture, or is not of finite numbers above 0.
   */
  cropTurned(frame: Frame, background: Colour = [0, 0, 0]): Picture {
    const { x, y, width, height, angle } = frame;
    const bounds = boundsOf(frame);
    const sound =
      [x, y, width, height, angle].every(Number.isFinite) &&
      [width, height].every((side) => side > 0 && side <= longestSide) &&
      Math.min(bounds.left + bounds.width, this.width) > Math.max(bounds.left, 0) &&
      Math.min(bounds.top + bounds.height, this.height) > Math.max(bounds.top, 0);
    if (!sound) {
      throw fail('PICTURE_BOX', {
        width: this.width,
        height: this.height,
        box: `${width}×${height} around ${x}, ${y}, turned by ${angle}`,
      });
    }
    const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side))) as [number, number];
    const own = { x, y, width, height, angle };
    return this.#with({ kind: 'turn', frame: own, width: wide, height: high, background }, wide, high);
  }

  /**
   * The picture in another size. `cover` scales until the size is filled and cuts what juts out on both sides; `contain` scales until
   * all of it is inside and fills the border with `background`; `fill` distorts.
   * @throws PICTURE_SIZE when width or height is not an integer of at least 1.
   */
  resize({ width, height, fit = 'cover', kernel = 'bicubic', background = [0, 0, 0] }: ResizeOptions): Picture {
    if (![width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= longestSide)) {
      throw fail('PICTURE_SIZE', { found: `${width}×${height}` });
    }
    if (fit === 'fill') return this.#scale(width, height, kernel);
    const across = width / this.width;
    const down = height / this.height;
    const scale = fit === 'cover' ? Math.max(across, down) : Math.min(across, down);
    // The side that decides is exact; only the other one is rounded.
    const scaledWidth = scale === across ? width : Math.max(1, Math.round(this.width * scale));
    const scaledHeight = scale === down ? height : Math.max(1, Math.round(this.height * scale));
    const scaled = this.#scale(scaledWidth, scaledHeight, kernel);
    if (fit === 'cover') {
      const left = Math.floor((scaledWidth - width) / 2);
      const top = Math.floor((scaledHeight - height) / 2);
      return scaled.crop({ left, top, width, height });
    }
    if (scaledWidth === width && scaledHeight === height) return scaled;
    const left = Math.floor((width - scaledWidth) / 2);
    const top = Math.floor((height - scaledHeight) / 2);
    return scaled.#with({ kind: 'pad', width, height, left, top, background }, width, height);
  }

  /** The picture mirrored left to right. */
  flip(): Picture {
    return this.#with({ kind: 'flip' }, this.width, this.height);
  }

  /** The picture with an effect on its pixels, as they are here. */
  apply(effect: Effect): Picture {
    return this.#with({ kind: 'effect', effect }, this.width, this.height);
  }

  /** The same picture with its pixels rounded to uint8 here, so that what is made from it is made from what `pixels` would show. */
  settle(): Picture {
    return this.from?.operation.kind === 'settle' ? this : this.#with({ kind: 'settle' }, this.width, this.height);
  }

  /** Renders the picture into memory of its own: uint8 RGB [height, width, 3]. @throws PICTURE_BROKEN when the file is damaged. */
  pixels(): Promise<Pixels> {
    return renderPixels(this);
  }

  #boxError({ left, top, width, height }: Box): Error {
    const box = `${width}×${height} at left ${left}, top ${top}`;
    return fail('PICTURE_BOX', { width: this.width, height: this.height, box });
  }

  #scale(width: number, height: number, kernel: Kernel): Picture {
    if (width === this.width && height === this.height) return this;
    return this.#with({ kind: 'resize', width, height, kernel }, width, height);
  }

  #with(operation: Operation, width: number, height: number): Picture {
    return new Picture(this.origin, width, height, { picture: this, operation });
  }
}

/**
 * A picture over pixels that are already decoded: [height, width] grey or [height, width, 3] RGB, uint8. They are read while it is rendered: `data`
 * must stay as it is, neither written nor detached nor shrunk, until all of its renderings have ended.
 * @throws PICTURE_ROOM when the length does not fit.
 */
export function rawPicture(raw: { data: Uint8Array; width: number; height: number; channels: 1 | 3 }): Picture {
  const { data, width, height, channels } = raw;
  if (data.length !== width * height * channels) {
    throw fail('PICTURE_ROOM', { width, height, needed: width * height * channels, found: data.length });
  }
  return new Picture({ kind: 'raw', data, width, height, channels }, width, height);
}

import { writeEffect } from '../effects/effect.ts';
import type { Box, Colour, Effect, LazyPicture, Operation } from '../geometry.ts';
import { type Drawn, drawnFrom, type Warp } from './turn.ts';

/** Fits `Kernel` of native/image/job.h. */
const kernelNumbers = { bilinear: 0, bicubic: 1 } as const;

/**
 * What the native renderer does in one go: cuts `box` out of a source, resizes it to `size`, cuts `window` out of that, mirrors it, and lays it on
 * a page. With `matrix` (that of a warp) it looks up the pixels of `size` in the whole page of another step instead of resizing, and `page.background` is the
 * colour of what lies outside of that. With `effect`, it is the whole page of another step with that effect, whose colour, if it has one, is `page.background`.
 */
export interface Step {
  /** The step whose page is the source; −1: the picture's origin. */
  readonly source: number;
  readonly box: Box;
  readonly size: { readonly width: number; readonly height: number };
  readonly kernel: keyof typeof kernelNumbers;
  readonly window: Box;
  readonly mirrored: boolean;
  readonly matrix: Warp['matrix'] | undefined;
  readonly effect?: Effect;
  readonly page: {
    readonly width: number;
    readonly height: number;
    readonly left: number;
    readonly top: number;
    /** 0xRRGGBB */
    readonly background: number;
  };
}

const longestSide = 2 ** 30;

/** Ints of a step as `writeStep` writes it. */
export const stepInts = 27;

/**
 * Writes a step at `at` of `ints`, as native/image/job.h reads it. `output` is the number of the output that gets its page; −1: none. `channels` of the
 * page: 3, or 1 for luma.
 */
export function writeStep(ints: Int32Array, at: number, step: Step, output: number, channels: 1 | 3 = 3): void {
  const { box, size, window, page } = step;
  ints[at] = step.source;
  ints[at + 1] = output;
  ints[at + 2] = box.left;
  ints[at + 3] = box.top;
  ints[at + 4] = box.width;
  ints[at + 5] = box.height;
  ints[at + 6] = size.width;
  ints[at + 7] = size.height;
  ints[at + 8] = kernelNumbers[step.kernel];
  ints[at + 9] = window.left;
  ints[at + 10] = window.top;
  ints[at + 11] = window.width;
  ints[at + 12] = window.height;
  ints[at + 13] = step.mirrored ? 1 : 0;
  ints[at + 14] = page.width;
  ints[at + 15] = page.height;
  ints[at + 16] = page.left;
  ints[at + 17] = page.top;
  ints[at + 18] = page.background;
  ints[at + 19] = channels;
  ints[at + 20] = step.matrix === undefined ? 0 : 1;
  if (step.effect !== undefined) writeEffect(ints, at + 20, step.effect);
  if (step.matrix !== undefined) new Float32Array(ints.buffer, ints.byteOffset).set(step.matrix, at + 21);
}

/** The steps of one sample's pictures: `outputs[i]` is the step whose page is picture i. */
export interface Plan {
  readonly steps: readonly Step[];
  readonly outputs: readonly number[];
}

/**
 * The steps that render pictures, which have one origin. What they share up to a `settle` is one step. A chain that does more than a step can
 * (two resizes, a crop of a border) is several, with pixels rounded in between as they are everywhere.
 * Nothing when a kernel is one that only sharp has.
 */
export function planOf(renderings: readonly { readonly picture: LazyPicture }[]): Plan | undefined {
  const steps: Step[] = [];
  // Of one picture no part comes twice.
  const done = renderings.length > 1 ? new Map<LazyPicture, number>() : undefined;
  const outputs: number[] = [];
  for (const { picture } of renderings) {
    const step = stepOf(picture, steps, done);
    // A page is written once: a picture that is asked for twice gets a second step.
    const again = step !== undefined && outputs.includes(step) ? copyOf(step, picture, steps) : step;
    if (again === undefined) return undefined;
    outputs.push(again);
  }
  return { steps, outputs };
}

/** The number of the step that makes the picture, added to `steps` with all that it needs. */
function stepOf(picture: LazyPicture, steps: Step[], done?: Map<LazyPicture, number>): number | undefined {
  const known = done?.get(picture);
  if (known !== undefined) return known;
  const operations: Operation[] = [];
  let at = picture;
  while (at.from !== undefined && at.from.operation.kind !== 'settle') {
    operations.push(at.from.operation);
    at = at.from.picture;
  }
  let step: number;
  if (at.from === undefined) step = -1;
  else {
    const source = stepOf(at.from.picture, steps, done);
    if (source === undefined) return undefined;
    step = source;
  }
  let drawn = new Drawing(step, at.width, at.height);
  // They were met from the last to the first.
  for (const operation of drawnFrom(operations.reverse(), at)) {
    // `cover` of a line of pixels can describe billions of them, of which it then cuts out a few.
    if (operation.kind === 'resize' && Math.max(operation.width, operation.height) > longestSide) return undefined;
    if (operation.kind === 'resize' && !(operation.kernel in kernelNumbers)) return undefined;
    if (drawn.add(operation)) continue;
    steps.push(drawn.step());
    drawn = new Drawing(steps.length - 1, drawn.width, drawn.height);
    drawn.add(operation);
  }
  if (step < 0 || operations.length > 0) step = steps.push(drawn.step()) - 1;
  done?.set(picture, step);
  return step;
}

function copyOf(step: number, { width, height }: LazyPicture, steps: Step[]): number {
  return steps.push(new Drawing(step, width, height).step()) - 1;
}

/** A step while operations are added to it. */
class Drawing {
  readonly #source: number;
  readonly #whole: Box;
  #box: Box;
  #size: { readonly width: number; readonly height: number; readonly kernel: Step['kernel'] } | undefined;
  #window: Box | undefined;
  #mirrored = false;
  #matrix: Step['matrix'];
  #effect: Effect | undefined;
  #outside = 0;
  #page: Step['page'] | undefined;

  constructor(source: number, width: number, height: number) {
    this.#source = source;
    this.#whole = { left: 0, top: 0, width, height };
    this.#box = this.#whole;
  }

  get width(): number {
    return (this.#page ?? this.#window ?? this.#box).width;
  }

  get height(): number {
    return (this.#page ?? this.#window ?? this.#box).height;
  }

  /** Adds what is to be done next; false, with nothing done, when the step cannot do it after what it does already. */
  add(operation: Drawn): boolean {
    if (operation.kind === 'settle') return true;
    if (this.#effect !== undefined) return false;
    switch (operation.kind) {
      case 'flip':
        this.#mirrored = !this.#mirrored;
        if (this.#page !== undefined) {
          const { width, left } = this.#page;
          this.#page = { ...this.#page, left: width - left - (this.#window ?? this.#box).width };
        }
        return true;
      case 'pad': {
        if (this.#page !== undefined || this.#matrix !== undefined) return false;
        const { width, height, left, top } = operation;
        this.#page = { width, height, left, top, background: numberOf(operation.background) };
        return true;
      }
      case 'crop': {
        if (this.#page !== undefined) return false;
        const box = this.#upright(operation.box);
        if (this.#window === undefined) this.#box = inside(this.#box, box);
        else this.#window = inside(this.#window, box);
        return true;
      }
      case 'resize': {
        if (this.#size !== undefined || this.#page !== undefined) return false;
        const { width, height, kernel } = operation;
        this.#size = { width, height, kernel: kernel as Step['kernel'] };
        this.#window = { left: 0, top: 0, width, height };
        return true;
      }
      case 'warp': {
        if (!this.#isPage()) return false;
        const { width, height } = operation;
        this.#size = { width, height, kernel: 'bicubic' };
        this.#window = { left: 0, top: 0, width, height };
        this.#matrix = operation.matrix;
        this.#outside = numberOf(operation.background);
        return true;
      }
      case 'effect': {
        if (!this.#isPage()) return false;
        const { effect } = operation;
        this.#effect = effect;
        if (effect.kind === 'affine') this.#outside = numberOf(effect.background);
        if (effect.kind === 'fill') this.#outside = numberOf(effect.colour);
        return true;
      }
    }
  }

  /** Whether it is all of another step's page, as it is. */
  #isPage(): boolean {
    return (
      this.#source >= 0 && this.#box === this.#whole && !this.#mirrored && (this.#size ?? this.#page) === undefined
    );
  }

  step(): Step {
    const { width, height } = this.#size ?? this.#box;
    const window = this.#window ?? { left: 0, top: 0, width, height };
    return {
      source: this.#source,
      box: this.#box,
      size: { width, height },
      kernel: this.#size?.kernel ?? 'bicubic',
      window,
      mirrored: this.#mirrored,
      matrix: this.#matrix,
      ...(this.#effect && { effect: this.#effect }),
      page: this.#page ?? { width: window.width, height: window.height, left: 0, top: 0, background: this.#outside },
    };
  }

  /** A box of the mirrored picture, in the picture before it was mirrored: mirroring is done last. */
  #upright(box: Box): Box {
    return this.#mirrored ? { ...box, left: this.width - box.left - box.width } : box;
  }
}

/** 0xRRGGBB */
export const numberOf = ([red, green, blue]: Colour): number => (red << 16) | (green << 8) | blue;

const inside = (outer: Box, { left, top, width, height }: Box): Box => ({
  left: outer.left + left,
  top: outer.top + top,
  width,
  height,
});

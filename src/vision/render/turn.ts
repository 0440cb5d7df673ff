import type { Box, Colour, Extent, Frame, Operation, Pixels } from '../geometry.ts';

type Turn = Operation & { readonly kind: 'turn' };
type Resize = Operation & { readonly kind: 'resize' };

/**
 * Pixels looked up in those before, where they lie: place (u, v) of the page, whose pixels have their middles at halves, is place (a·u + b·v + c, d·u + e·v + f) of
 * the source. Bicubic; what lies outside of the source has the colour of the background.
 */
export interface Warp {
  readonly kind: 'warp';
  readonly width: number;
  readonly height: number;
  readonly matrix: readonly [a: number, b: number, c: number, d: number, e: number, f: number];
  readonly background: Colour;
}

/** What renderers do: turning is done as an upright cut of what is needed, in about the size that is wanted, and a warp of that. */
export type Drawn = Exclude<Operation, Turn> | Warp;

/** Pixels that are kept around what a warp looks up, so that neither its kernel nor that of the resize before feels the edge of the cut. */
const spare = 4;

/** The upright rectangle around a frame. */
export function boundsOf({ x, y, width, height, angle }: Frame): Box {
  const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
  const wide = width * cos + height * sin;
  const high = width * sin + height * cos;
  return { left: x - wide / 2, top: y - high / 2, width: wide, height: high };
}

/** The operations as renderers do them, on a picture of that size. */
export function drawnFrom(operations: readonly Operation[], start: Extent): readonly Drawn[] {
  if (operations.every(isUpright)) return operations;
  const drawn: Drawn[] = [];
  let { width, height } = start;
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i]!;
    if (operation.kind === 'turn') {
      let turn = operation;
      for (let next = operations[i + 1]; next?.kind === 'crop'; next = operations[++i + 1])
        turn = partOf(turn, next.box);
      const next = operations[i + 1];
      const into = next?.kind === 'resize' && isSimilar(turn, next) ? next : undefined;
      if (into !== undefined) i++;
      drawn.push(...turned(turn, { width, height }, into));
      ({ width, height } = into ?? turn);
    } else {
      drawn.push(operation);
      if (operation.kind === 'crop') ({ width, height } = operation.box);
      else if (operation.kind === 'resize' || operation.kind === 'pad') ({ width, height } = operation);
    }
  }
  return drawn;
}

const isUpright = (operation: Operation): operation is Exclude<Operation, Turn> => operation.kind !== 'turn';

/** A crop of what was turned is another frame of the same picture. */
function partOf(turn: Turn, box: Box): Turn {
  const { frame } = turn;
  const [across, down] = [frame.width / turn.width, frame.height / turn.height];
  const x = (box.left + box.width / 2 - turn.width / 2) * across;
  const y = (box.top + box.height / 2 - turn.height / 2) * down;
  const [cos, sin] = [Math.cos(frame.angle), Math.sin(frame.angle)];
  const { width, height } = box;
  const part: Frame = {
    x: frame.x + x * cos - y * sin,
    y: frame.y + x * sin + y * cos,
    width: width * across,
    height: height * down,
    angle: frame.angle,
  };
  return { ...turn, frame: part, width, height };
}

/** Whether a resize after a turn can be done in one with it: it keeps the proportions, but for rounding, and does not ask for another kernel than a warp has. */
function isSimilar({ frame }: Turn, { width, height, kernel }: Resize): boolean {
  const [across, down] = [width / frame.width, height / frame.height];
  const alike = Math.abs(across / down - 1) <= 2 / Math.min(width, height);
  return alike && kernel !== 'nearest' && (kernel === 'bicubic' || Math.max(across, down) <= 1);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** The upright cut that a turn needs, brought to about the size in which it is wanted, and its warp. */
function turned({ frame, width, height, background }: Turn, source: Extent, into: Resize | undefined): Drawn[] {
  const size = into ?? { width, height, kernel: 'bicubic' as const };
  const scale = Math.min(1, Math.max(size.width / frame.width, size.height / frame.height));
  const bounds = boundsOf(frame);
  const around = spare / scale;
  // A crop of what juts out may lie beside the picture altogether: of that a pixel is taken, and nothing but the background is seen.
  const left = clamp(Math.floor(bounds.left - around), 0, source.width - 1);
  const top = clamp(Math.floor(bounds.top - around), 0, source.height - 1);
  const right = clamp(Math.ceil(bounds.left + bounds.width + around), left + 1, source.width);
  const bottom = clamp(Math.ceil(bounds.top + bounds.height + around), top + 1, source.height);
  const box: Box = { left, top, width: right - left, height: bottom - top };
  const [wide, high] = [box.width, box.height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
  const drawn: Drawn[] = [];
  if (box.width < source.width || box.height < source.height) drawn.push({ kind: 'crop', box });
  if (wide !== box.width || high !== box.height) {
    drawn.push({ kind: 'resize', width: wide, height: high, kernel: size.kernel });
  }
  const [cos, sin] = [Math.cos(frame.angle), Math.sin(frame.angle)];
  const [across, down] = [frame.width / size.width, frame.height / size.height];
  const [x, y] = [wide / box.width, high / box.height];
  const matrix: Warp['matrix'] = [
    across * cos * x,
    -down * sin * x,
    (frame.x - box.left - (frame.width * cos - frame.height * sin) / 2) * x,
    across * sin * y,
    down * cos * y,
    (frame.y - box.top - (frame.width * sin + frame.height * cos) / 2) * y,
  ];
  drawn.push({ kind: 'warp', width: size.width, height: size.height, matrix, background });
  return drawn;
}

/** Does a warp. What native/image does in the same way. */
export function warpPixels({ width, height, data }: Pixels, { matrix, background, ...page }: Warp): Pixels {
  const [a, b, c, d, e, f] = matrix;
  // Rounds and keeps to 0–255.
  const out = new Uint8ClampedArray(page.width * page.height * 3);
  for (let row = 0, at = 0; row < page.height; row++) {
    for (let column = 0; column < page.width; column++, at += 3) {
      const [u, v] = [column + 0.5, row + 0.5];
      const [x, y] = [a * u + b * v + c, d * u + e * v + f];
      if (!(x >= 0 && y >= 0 && x < width && y < height)) {
        out.set(background, at);
        continue;
      }
      const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)];
      const [across, down] = [cubic(x - 0.5 - left), cubic(y - 0.5 - top)];
      let [red, green, blue] = [0, 0, 0];
      for (let j = 0; j < 4; j++) {
        const line = Math.min(Math.max(top - 1 + j, 0), height - 1) * width;
        for (let i = 0; i < 4; i++) {
          const from = (line + Math.min(Math.max(left - 1 + i, 0), width - 1)) * 3;
          const weight = across[i]! * down[j]!;
          red += weight * data[from]!;
          green += weight * data[from + 1]!;
          blue += weight * data[from + 2]!;
        }
      }
      out[at] = red;
      out[at + 1] = green;
      out[at + 2] = blue;
    }
  }
  return { width: page.width, height: page.height, data: new Uint8Array(out.buffer) };
}

/** Weights of four neighbours for a place that lies `t` behind the second: Keys' kernel with −0.5, as Pillow's bicubic. They sum to 1. */
function cubic(t: number): readonly [number, number, number, number] {
  const [near, far] = [t * t * (1.5 * t - 2.5) + 1, t * t * (-1.5 * t + 2) + 0.5 * t];
  return [t * t * (1 - 0.5 * t) - 0.5 * t, near, far, 0.5 * t * t * (t - 1)];
}

import type { Box, Colour, Pixels } from './geometry.ts';

/** The part of the pixels in `box`: [box.height, box.width, 3], copied. */
export function cropPixels({ width, data }: Pixels, { left, top, width: w, height: h }: Box): Pixels {
  const out = new Uint8Array(w * h * 3);
  for (let row = 0; row < h; row++) {
    const from = ((top + row) * width + left) * 3;
    out.set(data.subarray(from, from + w * 3), row * w * 3);
  }
  return { width: w, height: h, data: out };
}

/** The pixels mirrored left to right, copied. */
export function mirrorPixels({ width, height, data }: Pixels): Pixels {
  const out = new Uint8Array(data.length);
  for (let row = 0; row < height; row++) {
    let from = row * width * 3;
    let to = (row + 1) * width * 3 - 3;
    for (let column = 0; column < width; column++, from += 3, to -= 3) {
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width, height, data: out };
}

/** A page of width × height pixels in one colour. */
export function blankPixels(width: number, height: number, [red, green, blue]: Colour): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < data.length; at += 3) {
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
  }
  return { width, height, data };
}

/** Copies `pixels` onto `page` with its corner at (left, top); what juts out is left away. Writes into `page`. */
export function pastePixels(page: Pixels, pixels: Pixels, left: number, top: number): void {
  const from = Math.max(0, -left);
  const to = Math.min(pixels.width, page.width - left);
  if (to <= from) return;
  for (let row = Math.max(0, -top); row < pixels.height && top + row < page.height; row++) {
    const start = row * pixels.width * 3;
    page.data.set(pixels.data.subarray(start + from * 3, start + to * 3), ((top + row) * page.width + left + from) * 3);
  }
}

/** The pixels inside a larger page: [height, width, 3], with `background` around. */
export function padPixels(
  pixels: Pixels,
  {
    width,
    height,
    left,
    top,
    background,
  }: { width: number; height: number; left: number; top: number; background: Colour },
): Pixels {
  const page = blankPixels(width, height, background);
  pastePixels(page, pixels, left, top);
  return page;
}

/** Enlarges by repetition, or picks: source index ⌊i · from / to⌋, so that every pixel stays one flat square where the factor is whole. */
export function repeatPixels(pixels: Pixels, width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let row = 0, to = 0; row < height; row++) {
    const line = Math.floor((row * pixels.height) / height) * pixels.width;
    for (let column = 0; column < width; column++, to += 3) {
      const from = (line + Math.floor((column * pixels.width) / width)) * 3;
      data[to] = pixels.data[from]!;
      data[to + 1] = pixels.data[from + 1]!;
      data[to + 2] = pixels.data[from + 2]!;
    }
  }
  return { width, height, data };
}

/** Pixels with an alpha channel, grey [H · W · 2] or RGB [H · W · 4] that alpha is not multiplied into, laid on a background: RGB [H · W · 3]. */
export function layOn(pixels: Uint8Array, channels: 2 | 4, background: Colour): Uint8Array {
  const rgb = new Uint8Array((pixels.length / channels) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    const alpha = pixels[from + channels - 1]!;
    for (let channel = 0; channel < 3; channel++) {
      const above = pixels[channels === 2 ? from : from + channel]!;
      rgb[to + channel] = Math.round((above * alpha + background[channel]! * (255 - alpha)) / 255);
    }
  }
  return rgb;
}

/** Grey [H · W] repeated to RGB [H · W · 3]. */
export function greyToRgb(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3);
  for (let i = 0, to = 0; i < grey.length; i++, to += 3) {
    rgb[to] = rgb[to + 1] = rgb[to + 2] = grey[i]!;
  }
  return rgb;
}

/** Luma as JPEG defines it, in libjpeg's integers, which are Pillow's too. */
export function lumaOf(red: number, green: number, blue: number): number {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
}

/** The luma of RGB [H · W · 3]: [H · W]. */
export function rgbToGrey(rgb: Uint8Array): Uint8Array {
  const grey = new Uint8Array(rgb.length / 3);
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) grey[i] = lumaOf(rgb[at]!, rgb[at + 1]!, rgb[at + 2]!);
  return grey;
}

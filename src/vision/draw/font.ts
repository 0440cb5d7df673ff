import type { Colour, Pixels } from '../picture.ts';

/** A glyph is 5 pixels wide and 9 high; below the seventh row hang the tails of g, j, p, q and y. */
const glyphWidth = 5;
export const lineHeight = 9;

/** Each character's nine rows, one digit of base 32 for each: its five bits are the pixels from left to right. Drawn for this project. */
const glyphs: Readonly<Record<string, string>> = {
  A: 'ehhvhhh00',
  B: 'uhhuhhu00',
  C: 'ehggghe00',
  D: 'uhhhhhu00',
  E: 'vgguggv00',
  F: 'vgguggg00',
  G: 'ehgnhhf00',
  H: 'hhhvhhh00',
  I: 'e44444e00',
  J: '72222ic00',
  K: 'hikokih00',
  L: 'ggggggv00',
  M: 'hrllhhh00',
  N: 'hhpljhh00',
  O: 'ehhhhhe00',
  P: 'uhhuggg00',
  Q: 'ehhhlid00',
  R: 'uhhukih00',
  S: 'fgge11u00',
  T: 'v44444400',
  U: 'hhhhhhe00',
  V: 'hhhhha400',
  W: 'hhhllla00',
  X: 'hha4ahh00',
  Y: 'hha444400',
  Z: 'v1248gv00',
  a: '00e1fhf00',
  b: 'gguhhhu00',
  c: '00egghe00',
  d: '11fhhhf00',
  e: '00ehvge00',
  f: '698s88800',
  g: '00fhhhf1e',
  h: 'ggmphhh00',
  i: '40c444e00',
  j: '2062222ic',
  k: 'ggikoki00',
  l: 'c44444e00',
  m: '00qllhh00',
  n: '00mphhh00',
  o: '00ehhhe00',
  p: '00uhhhugg',
  q: '00fhhhf11',
  r: '00mpggg00',
  s: '00fge1u00',
  t: '88s889600',
  u: '00hhhjd00',
  v: '00hhha400',
  w: '00hhlla00',
  x: '00ha4ah00',
  y: '00hhhhf1e',
  z: '00v248v00',
  0: 'ehjlphe00',
  1: '4c4444e00',
  2: 'eh1248v00',
  3: 'v2421he00',
  4: '26aiv2200',
  5: 'vgu11he00',
  6: '68guhhe00',
  7: 'v12488800',
  8: 'ehhehhe00',
  9: 'ehhf12c00',
  ' ': '000000000',
  '.': '00000cc00',
  ',': '00000c480',
  ':': '0cc0cc000',
  '-': '000v00000',
  _: '0000000v0',
  '/': '01248g000',
  '#': 'aavavaa00',
  '(': '248884200',
  ')': '842224800',
  '[': 'e88888e00',
  ']': 'e22222e00',
  '{': '644844600',
  '}': 'c44244c00',
  '+': '044v44000',
  '=': '00v0v0000',
  '%': 'op248j300',
  "'": '448000000',
  '!': '444440400',
  '?': 'eh1240400',
  '…': '000000l00',
  '·': '000400000',
  '×': '00ha4ah00',
  '&': 'cik8lid00',
  '\\': '0g8421000',
};
const unknown = 'vhhhhhv00';

/** The width of `text` in pixels. */
export function textWidth(text: string, scale: number): number {
  return Math.max(0, [...text].length * (glyphWidth + 1) - 1) * scale;
}

/** `text`, cut and ended with … where it is wider than `width` pixels. */
export function fitText(text: string, width: number, scale: number): string {
  const most = Math.floor((width / scale + 1) / (glyphWidth + 1));
  const chars = [...text];
  return chars.length <= most ? text : `${chars.slice(0, Math.max(0, most - 1)).join('')}…`;
}

/** Writes `text` onto `page`, its upper left corner at (left, top). A character that is not in the font becomes a box, so nothing can move or hide. */
export function drawText(
  page: Pixels,
  text: string,
  { left, top, scale, colour }: { left: number; top: number; scale: number; colour: Colour },
): void {
  for (const [i, char] of [...text].entries()) {
    const rows = glyphs[char] ?? unknown;
    for (let y = 0; y < lineHeight * scale; y++) {
      const bits = Number.parseInt(rows[Math.floor(y / scale)]!, 32);
      for (let x = 0; x < glyphWidth * scale; x++) {
        const on = (bits >> (glyphWidth - 1 - Math.floor(x / scale))) & 1;
        const column = left + i * (glyphWidth + 1) * scale + x;
        if (on && column < page.width && top + y < page.height)
          page.data.set(colour, ((top + y) * page.width + column) * 3);
      }
    }
  }
}

/** By how many grey levels thumbnails of the same may differ. */
const tolerance = 2;

/** Whether all values of a thumbnail are the same, but for as much. */
export function isPlain(thumbnail: Uint8Array): boolean {
  let [least, most] = [255, 0];
  for (const value of thumbnail) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return most - least <= 2 * tolerance;
}

/** Pictures of one colour: empty pages, black frames. One is like another where no value of their thumbnails differs by more than two grey levels. */
export class PlainPictures {
  /** By their mean, which can differ by no more either. */
  readonly #byMean = new Map<number, number[]>();

  add(picture: number, thumbnail: Uint8Array): void {
    const mean = meanOf(thumbnail);
    const known = this.#byMean.get(mean);
    if (known === undefined) this.#byMean.set(mean, [picture]);
    else known.push(picture);
  }

  /** The pictures that are like one, in their order. */
  like(thumbnail: Uint8Array, thumbnailOf: (picture: number) => Uint8Array): number[] {
    const mean = meanOf(thumbnail);
    const means = Array.from({ length: 2 * tolerance + 3 }, (_, i) => mean - tolerance - 1 + i);
    return means
      .flatMap((near) => this.#byMean.get(near) ?? [])
      .filter((picture) => isLike(thumbnail, thumbnailOf(picture)))
      .sort((a, b) => a - b);
  }
}

function meanOf(thumbnail: Uint8Array): number {
  return Math.round(thumbnail.reduce((sum, value) => sum + value, 0) / thumbnail.length);
}

function isLike(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((value, i) => Math.abs(value - b[i]!) <= tolerance);
}

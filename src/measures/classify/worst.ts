import type { HostTensor } from '../../models/model.ts';
import type { Pixels } from '../../vision/picture.ts';
import type { MeasureTable } from '../define.ts';

/** A picture of which the model thinks its class unlikely. */
export interface WorstAnswer {
  readonly key: string;
  readonly label: number;
  /** The probability that the model gives to the class of the picture, 0 to 1, */
  readonly probability: number;
  readonly answer: number;
  /** and to the one that it names. */
  readonly answered: number;
  readonly pixels: Pixels;
}

/** Keeps the pictures whose class has the least probability; of equal ones the earlier. */
export class WorstAnswers {
  readonly #most: number;
  readonly #kept: WorstAnswer[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get list(): readonly WorstAnswer[] {
    return this.#kept;
  }

  /** @param picture uint8 [N, H, W, 3]; what is kept of it is copied. @param n the row. @param scores of row n. */
  offer(key: string, label: number, scores: Float32Array, picture: HostTensor, n: number): void {
    const probability = probabilityOf(scores, label);
    if (this.#kept.length === this.#most && !(probability < (this.#kept.at(-1)?.probability ?? 0))) return;
    let answer = 0;
    for (let c = 1; c < scores.length; c++) if (scores[c]! > scores[answer]!) answer = c;
    const [, height, width] = picture.shape as [number, number, number, number];
    const size = height * width * 3;
    const data = Uint8Array.from(picture.data.subarray(n * size, (n + 1) * size));
    const answered = probabilityOf(scores, answer);
    const place = this.#kept.findLastIndex((one) => one.probability <= probability) + 1;
    this.#kept.splice(place, 0, { key, label, probability, answer, answered, pixels: { width, height, data } });
    this.#kept.length = Math.min(this.#kept.length, this.#most);
  }

  /** Their order is that of the picture that shows them. */
  table(names: readonly string[] = []): MeasureTable {
    const nameOf = (c: number) => names[c] ?? String(c);
    return {
      title: 'The worst answers',
      head: ['picture', 'class', 'probability', 'answer', 'probability'],
      rows: this.#kept.map(({ key, label, probability, answer, answered }) => [
        key,
        nameOf(label),
        probability.toFixed(3),
        nameOf(answer),
        answered.toFixed(3),
      ]),
    };
  }
}

/** Of the softmax over the scores. */
function probabilityOf(scores: Float32Array, c: number): number {
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - scores[c]!);
  return 1 / sum;
}

import { counted } from '../../counts.ts';
import { percent } from '../accuracy.ts';
import type { MeasureTable } from '../define.ts';

/** A matrix of more classes is too wide to be read: of them the commonest confusions are listed. */
const mostInMatrix = 12;
const mostListed = 20;

/** What a model has answered for labelled pictures: how often each class was taken for each. */
export class Answers {
  readonly #classes: number;
  /** By class · classes + answer: of thousands of classes most pairs never come. */
  readonly #counts = new Map<number, number>();
  /** Pictures of each class, and those for which it was the answer. */
  readonly #of: Uint32Array;
  readonly #as: Uint32Array;

  /** @param classes of the model. */
  constructor(classes: number) {
    this.#classes = classes;
    this.#of = new Uint32Array(classes);
    this.#as = new Uint32Array(classes);
  }

  add(label: number, answer: number): void {
    this.#counts.set(label * this.#classes + answer, this.#at(label, answer) + 1);
    this.#of[label]!++;
    this.#as[answer]!++;
  }

  /** Tables for the report: each class, and which was taken for which. @param names of the classes, where they are known. */
  tables(names: readonly string[] = []): MeasureTable[] {
    const occurring = Array.from({ length: this.#classes }, (_, c) => c).filter((c) => this.#of[c]! + this.#as[c]! > 0);
    const nameOf = (c: number) => names[c] ?? String(c);
    return [
      this.#perClass(occurring, nameOf),
      occurring.length <= mostInMatrix ? this.#matrix(occurring, nameOf) : this.#confusions(nameOf),
    ];
  }

  #perClass(occurring: readonly number[], nameOf: (c: number) => string): MeasureTable {
    const rows = occurring
      .map((c) => ({ c, of: this.#of[c]!, as: this.#as[c]!, right: this.#at(c, c) }))
      .map(({ c, of, as, right }) => ({ c, of, recall: right / of, cells: [of, share(right, of), share(right, as)] }))
      // Those that are found least first; without pictures last.
      .sort((a, b) => (a.of === 0 ? 2 : a.recall) - (b.of === 0 ? 2 : b.recall) || a.c - b.c);
    return {
      title: 'Each class',
      head: ['', 'pictures', 'found', 'right, of those named so'],
      rows: rows.slice(0, 4 * mostListed).map(({ c, cells }) => [nameOf(c), ...cells.map(String)]),
      ...(rows.length > 4 * mostListed && {
        about: `${counted(rows.length - 4 * mostListed, 'class', 'classes')} more, which are found more often.`,
      }),
    };
  }

  #matrix(occurring: readonly number[], nameOf: (c: number) => string): MeasureTable {
    return {
      title: 'Which class was taken for which',
      head: ['class', ...occurring.map(nameOf)],
      rows: occurring.map((c) => [nameOf(c), ...occurring.map((answer) => String(this.#at(c, answer)))]),
      about: 'Rows are the classes of the pictures, columns the answers of the model.',
    };
  }

  #confusions(nameOf: (c: number) => string): MeasureTable {
    const pairs = [...this.#counts]
      .map(([at, count]) => ({ c: Math.floor(at / this.#classes), answer: at % this.#classes, count }))
      .filter(({ c, answer }) => c !== answer)
      .sort((a, b) => b.count - a.count || a.c - b.c || a.answer - b.answer);
    return {
      title: 'The commonest confusions',
      head: ['class', 'answer', 'pictures', 'of the class'],
      rows: pairs
        .slice(0, mostListed)
        .map(({ c, answer, count }) => [nameOf(c), nameOf(answer), String(count), share(count, this.#of[c]!)]),
    };
  }

  #at(label: number, answer: number): number {
    return this.#counts.get(label * this.#classes + answer) ?? 0;
  }
}

function share(part: number, whole: number): string {
  return whole === 0 ? '–' : percent(part / whole);
}

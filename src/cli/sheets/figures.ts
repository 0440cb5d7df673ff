import { counted } from '../../counts.ts';
import { escapeHtml, imageTag } from '../../html.ts';
import { thumbnailOf } from '../../vision/draw/thumbnail.ts';
import type { Find } from './pictures.ts';

/** Pictures of a page: more make it too large to be opened. */
export const mostFigures = 2000;
const side = 180;
/** Names that a sentence has. */
const named = 3;

/** The pictures of a page, made small. Those that cannot be shown are named without, counted, and said: in the page, and by who writes it. */
export class Figures {
  readonly #missing: string[] = [];
  #shown = 0;
  #unknown = 0;
  #left = 0;

  /** @param find opens the picture; undefined where nobody knows where it lies. @param about what is said below its name, each a line. */
  async figure(name: string, find: Find | undefined, ...about: string[]): Promise<string> {
    const small = await this.#small(name, find);
    const image = small === undefined ? '' : imageTag(name, 'image/jpeg', small);
    const caption = [name, ...about].map(escapeHtml).join('<br>');
    return `<figure>${image}<figcaption>${caption}</figcaption></figure>`;
  }

  async #small(name: string, find: Find | undefined): Promise<Uint8Array | undefined> {
    if (find === undefined) {
      this.#unknown++;
      return undefined;
    }
    if (this.#shown >= mostFigures) {
      this.#left++;
      return undefined;
    }
    const small = await thumbnailOf(find, side);
    if (small === undefined) this.#missing.push(name);
    else this.#shown++;
    return small;
  }

  /** So many more are not in the page at all. */
  left(count: number): void {
    this.#left += count;
  }

  /** What cannot be shown, in sentences. */
  lines(): string[] {
    const lines: string[] = [];
    const missing = this.#missing.length;
    if (missing > 0) {
      const names = this.#missing.slice(0, named).join(', ');
      const more = missing > named ? `, and ${(missing - named).toLocaleString('en')} more` : '';
      lines.push(`The page is without ${counted(missing, 'picture')} that cannot be read: ${names}${more}.`);
    }
    if (this.#unknown > 0)
      lines.push(
        `The page is without ${counted(this.#unknown, 'picture')} whose folder is not known: name it with --photos.`,
      );
    if (this.#left > 0)
      lines.push(
        `The page shows at most ${counted(mostFigures, 'picture')}: it is without ${this.#left.toLocaleString('en')} more.`,
      );
    return lines;
  }

  /** The same for the page. */
  html(): string[] {
    return this.lines().map((line) => `<p>${escapeHtml(line)}</p>`);
  }
}

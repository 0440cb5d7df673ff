import { PatchstreamError } from '../errors.ts';
import { type Path, type Place, pathText, placeText, shownFile } from './file/locate.ts';
import { redactProse, type Secret } from './file/redact.ts';

/** One thing that is wrong in a pipeline: an error of the catalogue, with its place. */
export interface Problem {
  readonly error: PatchstreamError;
  readonly place?: Place;
}

/** Where the values of a definition were written, and which of them came from the environment. */
export interface Origin {
  /** The place of the value at `path` (of its key, when asked; of the nearest thing around it, when there is none). */
  place(path: Path, key?: boolean): Place | undefined;
  /** Values that must not be shown, and what is shown in their place. */
  readonly secrets: readonly Secret[];
}

/** Collects problems; everything that checks is given one and goes on after each. */
export class Problems {
  readonly list: Problem[] = [];
  readonly #origin: Origin | undefined;
  readonly #file: string | undefined;

  constructor({ origin, file }: { readonly origin?: Origin | undefined; readonly file?: string | undefined } = {}) {
    this.#origin = origin;
    this.#file = file;
  }

  /** Adds an error that concerns the value at `path`. `who` is the stage it is about, for the error's `where`. */
  add(
    error: PatchstreamError,
    path: Path,
    { key = false, who }: { key?: boolean; who?: string | undefined } = {},
  ): void {
    const place = this.#origin?.place(path, key);
    const file = this.#file === undefined ? '' : `${shownFile(this.#file)}: `;
    // Without lines the path says the place: of a stage its index and name, the option stands in the message.
    const stage = path[0] === 'stages' ? path.slice(0, 3) : path.slice(0, 2);
    const whole = place
      ? `${placeText(place)}${who === undefined ? '' : `, ${who}`}`
      : `${file}${pathText(stage) || 'pipeline'}`;
    this.list.push({ error: this.#at(error, whole), ...(place && { place }) });
  }

  /** A collection whose problems nobody is told: for parts that repeat others. */
  silent(): Problems {
    return new Problems({ origin: this.#origin, file: this.#file });
  }

  /** All problems, in the order in which they stand in the files. */
  sorted(): Problem[] {
    return sortProblems(this.list);
  }

  #at(error: PatchstreamError, where: string): PatchstreamError {
    const text = redactProse(error.text, this.#origin?.secrets ?? []);
    return new PatchstreamError(error.code, text, where, error.cause);
  }
}

/** Problems by file, line and column; those of one place stay in the order in which they were found, equal ones are told once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const spot = ({ place }: Problem) => (place ? placeText(place) : '');
  const unset = new Set(problems.filter(({ error }) => error.code === 'ENVIRONMENT_MISSING').map(spot));
  // A value that the environment did not give is of the wrong kind as well; that need not be said.
  const telling = problems.filter((problem) => problem.error.code !== 'OPTION_VALUE' || !unset.has(spot(problem)));
  const once = new Map(telling.map((problem) => [problem.error.message, problem]));
  const files = [...new Set(problems.map(({ place }) => place?.file))];
  const rank = ({ place }: Problem) => [files.indexOf(place?.file), place?.line ?? 0, place?.column ?? 0] as const;
  return [...once.values()].sort((a, b) => {
    const [x, y] = [rank(a), rank(b)];
    return x[0] - y[0] || x[1] - y[1] || x[2] - y[2];
  });
}

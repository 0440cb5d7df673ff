import { fail } from '../../errors.ts';
import { imageOutcomes } from '../../native.ts';
import type { PoolJob } from '../../native-pool.ts';
import type { LazyPicture } from '../geometry.ts';
import type { Plan } from './plan.ts';

/** A picture and the memory it is to be rendered into: uint8 RGB, width · height · 3 bytes, for example a field of a cell. */
export interface Rendering {
  readonly picture: LazyPicture;
  readonly out: Uint8Array;
  /** True for luma alone, width · height bytes. */
  readonly grey?: boolean;
}

/** The memory that a sample is rendered into, and whose it is: a `Cell` of the ring is one. */
export interface Place {
  /** False once the place was taken back. */
  readonly current: boolean;
  /** Calls `stop` before the place becomes another's; what `stop` ends writes there no more when it returns. Undefined: whoever wrote has ended. */
  whenFreed(stop: (() => void) | undefined): void;
}

/** A picture of which a file is to be made. */
export interface Encoded {
  readonly picture: LazyPicture;
  /** True for luma alone. */
  readonly grey: boolean;
  /** As `ImageAddon.submit` has it. */
  readonly encoding: number;
  /** Where the file is to be written, which is not there yet. */
  readonly path?: string | undefined;
}

/** A sample at the addon, or on its way there. */
export class Waiting implements PoolJob {
  readonly renderings: Rendered['renderings'];
  readonly plan: Plan;
  readonly place: Place | undefined;
  readonly encoding: number;
  readonly path: string | undefined;
  readonly #otherwise: () => Promise<unknown>;
  readonly #resolve: (done?: unknown) => void;
  readonly reject: (error: unknown) => void;
  id = 0;

  constructor(
    { renderings, plan, place, encoding = 0, path, otherwise }: Rendered,
    resolve: (done?: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.renderings = renderings;
    this.plan = plan;
    this.place = place;
    this.encoding = encoding;
    this.path = path;
    this.#otherwise = otherwise;
    this.#resolve = resolve;
    this.reject = reject;
  }

  /** Its place was taken back before the addon has seen it. */
  giveUp(): void {
    this.#resolve();
  }

  ended(outcome: number, size: number, message: string, made?: Uint8Array): void {
    this.place?.whenFreed(undefined);
    if (made !== undefined) this.#resolve(made);
    else if (outcome === imageOutcomes.written) this.#resolve(size);
    else if (outcome === imageOutcomes.foreign) this.#resolve(this.#otherwise());
    else if (outcome === imageOutcomes.broken) this.reject(fail('PICTURE_BROKEN', { reason: message }));
    else if (outcome === imageOutcomes.memory || outcome === imageOutcomes.encoded)
      this.reject(fail('PICTURE_MEMORY', {}));
    else this.#resolve();
  }
}

export interface Rendered {
  /** Without `out` where a file is made. */
  readonly renderings: readonly (Omit<Rendering, 'out'> & { readonly out?: Uint8Array })[];
  readonly plan: Plan;
  readonly place: Place | undefined;
  readonly encoding?: number;
  readonly path?: string | undefined;
  /** Does what the addon leaves to another. */
  readonly otherwise: () => Promise<unknown>;
}

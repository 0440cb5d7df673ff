import { catalogue, type ErrorCode, PatchstreamError } from '../../errors.ts';
import { withCauses } from '../../own-code.ts';
import type { CellLayout } from '../cells.ts';
import type { TrainDefinition } from '../definition.ts';
import type { Compute } from '../flops.ts';
import type { LoopEnd, Progress } from '../loop.ts';
import type { Measures } from '../metrics.ts';

/** What the trainer's thread is given when it starts. */
export interface TrainerSetup {
  readonly definition: TrainDefinition;
  /** The ring of cells. Shared memory; in the calling thread any memory will do. */
  readonly memory: SharedArrayBuffer | ArrayBuffer;
  readonly layout: CellLayout;
}

/** A micro-batch as a list of cells, in the order of its samples. */
export interface CellList {
  readonly cells: Uint32Array;
  readonly keys: readonly string[];
  readonly positions: readonly number[];
  /** Which micro-batch of its step, from 0. */
  readonly batchIndex: number;
  /** Milliseconds in which the loader had no permit or cell for it. */
  readonly permitWaitMs?: number;
  /** Rendered samples that lay ready when it was sent, as a share of the ring. */
  readonly ringFill?: number;
}

/** Where and on what a trainer begins. */
export interface Ready extends Progress {
  readonly backend: string;
  readonly device: string;
  /** One sentence: which backend was taken and why. */
  readonly why: string;
  /** The checkpoint that it goes on from. */
  readonly resumed?: string | undefined;
  /** Names of later checkpoints, which are broken. */
  readonly passedOver?: readonly string[] | undefined;
  /** Numbers that are trained. */
  readonly parameters: number;
  /** What a sample costs and the device could do, as far as that is known. */
  readonly compute?: Compute | undefined;
}

/** To the trainer. `measured`: a checkpoint was read by who measures it. `best`: the name of the best checkpoint, which stays. `stop`: finish the step at hand, save, end. `end`: no more lists will come. `bye`: all has been heard, leave. */
export type ToTrainer =
  | ({ readonly type: 'micro' } & CellList)
  | { readonly type: 'measured'; readonly path: string }
  | { readonly type: 'best'; readonly name: string }
  | { readonly type: 'end' }
  | { readonly type: 'stop' }
  | { readonly type: 'bye' };

/** From the trainer. Each list is answered by one `freed`; the last word is `done` or `error`. */
export type FromTrainer =
  | { readonly type: 'ready'; readonly ready: Ready }
  | { readonly type: 'freed'; readonly cells: Uint32Array }
  | { readonly type: 'step'; readonly measures: Measures }
  | { readonly type: 'saved'; readonly path: string; readonly step: number }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'done'; readonly end: LoopEnd }
  | { readonly type: 'error'; readonly error: CrossingError };

/** An error as it crosses between threads: class and own fields would be lost. */
export interface CrossingError {
  readonly name: string;
  /** Without code and place for an error of the catalogue. */
  readonly text: string;
  readonly stack: string | undefined;
  readonly code?: string | undefined;
  readonly where?: string | undefined;
  readonly cause?: CrossingError | undefined;
}

/** Anything thrown, ready to cross. */
export function packError(error: unknown): CrossingError {
  // From the deepest cause on: those of a user may lead in a circle.
  return withCauses(error).reduceRight<CrossingError | undefined>((cause, at) => packed(at, cause), undefined)!;
}

function packed(error: unknown, cause: CrossingError | undefined): CrossingError {
  if (!(error instanceof Error)) return { name: 'Error', text: String(error), stack: undefined };
  const { name, stack, message } = error;
  if (!(error instanceof PatchstreamError)) return { name, text: message, stack, cause };
  return { name, text: error.text, stack, code: error.code, where: error.where, cause };
}

/** The error on the other side: of the catalogue again when it was, with its code, message, cause and the stack of where it was thrown. */
export function unpackError({ name, text, stack, code, where, cause }: CrossingError): Error {
  const original = cause === undefined ? undefined : unpackError(cause);
  const error =
    code !== undefined && Object.hasOwn(catalogue, code)
      ? new PatchstreamError(code as ErrorCode, text, where, original)
      : new Error(text, original === undefined ? undefined : { cause: original });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

import type { ProgramDifference } from '../../native.ts';
import type * as tf from '../tf.ts';

/** Named tensors, of shapes that depend on their number of samples alone. */
export type Inputs = Readonly<Record<string, tf.Tensor>>;

/** Hears, in their order, of the additions that a replay makes; `tensor` is what is still to be added, where the replay does not add itself. */
export type Added = (addition: number, tensor?: tf.Tensor) => void;

/** Writes down what a backend computes, to have it done again without JavaScript. */
export interface Recorder {
  /** Whether programs can be launched as a whole. */
  readonly launches: boolean;
  /** Begins a recording, of a computation on these inputs. */
  record(inputs: Inputs): void;
  /** Has a tensor that the computation gives away added to a sum. */
  give(tensor: tf.Tensor, add: () => void): void;
  /** Ends the recording. */
  stop(): Program;
  /** What was tried of kernels of ours on a device, and why it does not serve; an empty text where it does. */
  kernels(): Readonly<Record<string, string>>;
}

/** A computation that was written down. Owned by whoever has it, who calls `discard`. */
export interface Program {
  /** Operations. */
  readonly calls: number;
  /** Why it cannot be replayed, as a sentence goes on after `because`. */
  readonly refused: string | undefined;
  /** The first difference of a later recording. */
  differ(later: Program): ProgramDifference;
  /**
   * Computes the same of other inputs of the same shapes. False, with nothing added, when something from before the recording is gone.
   *
   * @throws NotReplayable when it turns out that it cannot be.
   */
  replay(inputs: Inputs, added: Added): boolean;
  /** As `replay`, by one launch of all of it. Throws where that cannot be. */
  launch(inputs: Inputs, added: Added): boolean;
  discard(): void;
}

/** The message says why, as `Program.refused`. Nothing was added. */
export class NotReplayable extends Error {}

/** In the place of an operation: what is read back was not computed. The addon of torch has the same word. */
export const notComputed = 'an input';

export const refusals = {
  reads: (operation: string) =>
    operation === notComputed ? 'they read back what they were given' : `they read back what ${operation} has computed`,
  frees: 'they free tensors that were there before',
  keeps: 'they keep tensors that they make',
} as const;

import type { Pool } from '../models/model.ts';
import type { TrainDefinition } from '../train/definition.ts';
import type { WhichWeights } from '../train/weights/checkpoint.ts';
import type { CrossingError } from '../train/worker/protocol.ts';

/** What becomes of the answer of a model: vectors of an encoder, the likeliest classes of a classifier, or the codes of a tokenizer. */
export type Task =
  | { readonly kind: 'embed'; readonly pool: Pool }
  | { readonly kind: 'predict'; readonly top: number }
  | { readonly kind: 'tokenize' };

/** What the thread of a trained model is given when it starts. */
export interface InferenceSetup {
  readonly task: Task;
  /** The checkpoint's folder or the file of weights, and the digest that its weights must have. */
  readonly where: string;
  readonly digest: string;
  /** Which weights of a checkpoint; by default its average where it has one. */
  readonly weights?: WhichWeights | undefined;
  readonly model: Pick<TrainDefinition, 'model' | 'backend' | 'device' | 'precision'>;
  /** The buffers of the batches, one behind the other: uint8 [buffers, batch, height, width, 3]. */
  readonly memory: SharedArrayBuffer;
  readonly batch: number;
  readonly size: readonly [number, number];
}

/** To the thread: compute what lies in a buffer. */
export interface ToInference {
  readonly buffer: number;
}

/** Of each slot, one behind the other: float32 [batch, …], and of a classifier's answers the classes, int32 [batch, top]. */
export interface Rows {
  readonly values: Float32Array;
  readonly classes?: Int32Array;
}

/** From the thread: the rows of a batch, in the order in which batches came; what is to be said of the backend; an error ends it. */
export type FromInference =
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'rows'; readonly rows: Rows }
  | { readonly type: 'error'; readonly error: CrossingError };

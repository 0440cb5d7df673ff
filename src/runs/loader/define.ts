import type * as chain from '../../pipeline/chain.ts';
import { type Definition, define, type Rest } from '../../pipeline/definition.ts';
import type { Source } from '../../sources/source.ts';
import type { Stage } from '../../streams/stage.ts';
import { type Batch, type BatchOptions, batches, samples } from './batches.ts';
import type { OpenOptions } from './open.ts';

/** A source and its stages, ready to be read in a program, or to be spread into `definePipeline`. S is the sample at its end. */
export interface Pipeline<S> {
  readonly source: Source;
  readonly stages: chain.Checked<S>;
  /** Batches of n samples, rendered into arrays that the caller owns. */
  readonly batches: (n: number, options?: BatchOptions) => AsyncIterable<Batch<S>>;
  /** The samples one by one, not rendered. */
  readonly samples: (options?: OpenOptions) => AsyncIterable<S>;
}

/**
 * Joins a source and up to twelve stages: `pipeline(imageFolder('./photos'), decode(), resize(100)).batches(64)`. A stage that needs what
 * no stage before it gives does not compile; functions inside `each` know the sample they get.
 */
export function pipeline<S>(source: Source<S>): Pipeline<S>;
export function pipeline<S, A>(source: Source<S>, ...stages: chain.Chain1<S, A>): Pipeline<chain.After1<S, A>>;
export function pipeline<S, A, B>(source: Source<S>, ...stages: chain.Chain2<S, A, B>): Pipeline<chain.After2<S, A, B>>;
export function pipeline<S, A, B, C>(
  source: Source<S>,
  ...stages: chain.Chain3<S, A, B, C>
): Pipeline<chain.After3<S, A, B, C>>;
export function pipeline<S, A, B, C, D>(
  source: Source<S>,
  ...stages: chain.Chain4<S, A, B, C, D>
): Pipeline<chain.After4<S, A, B, C, D>>;
export function pipeline<S, A, B, C, D, E>(
  source: Source<S>,
  ...stages: chain.Chain5<S, A, B, C, D, E>
): Pipeline<chain.After5<S, A, B, C, D, E>>;
export function pipeline<S, A, B, C, D, E, F>(
  source: Source<S>,
  ...stages: chain.Chain6<S, A, B, C, D, E, F>
): Pipeline<chain.After6<S, A, B, C, D, E, F>>;
export function pipeline<S, A, B, C, D, E, F, G>(
  source: Source<S>,
  ...stages: chain.Chain7<S, A, B, C, D, E, F, G>
): Pipeline<chain.After7<S, A, B, C, D, E, F, G>>;
export function pipeline<S, A, B, C, D, E, F, G, H>(
  source: Source<S>,
  ...stages: chain.Chain8<S, A, B, C, D, E, F, G, H>
): Pipeline<chain.After8<S, A, B, C, D, E, F, G, H>>;
export function pipeline<S, A, B, C, D, E, F, G, H, I>(
  source: Source<S>,
  ...stages: chain.Chain9<S, A, B, C, D, E, F, G, H, I>
): Pipeline<chain.After9<S, A, B, C, D, E, F, G, H, I>>;
export function pipeline<S, A, B, C, D, E, F, G, H, I, J>(
  source: Source<S>,
  ...stages: chain.Chain10<S, A, B, C, D, E, F, G, H, I, J>
): Pipeline<chain.After10<S, A, B, C, D, E, F, G, H, I, J>>;
export function pipeline<S, A, B, C, D, E, F, G, H, I, J, K>(
  source: Source<S>,
  ...stages: chain.Chain11<S, A, B, C, D, E, F, G, H, I, J, K>
): Pipeline<chain.After11<S, A, B, C, D, E, F, G, H, I, J, K>>;
export function pipeline<S, A, B, C, D, E, F, G, H, I, J, K, L>(
  source: Source<S>,
  ...stages: chain.Chain12<S, A, B, C, D, E, F, G, H, I, J, K, L>
): Pipeline<chain.After12<S, A, B, C, D, E, F, G, H, I, J, K, L>>;
export function pipeline(source: Source, ...stages: readonly Stage[]): Pipeline<unknown> {
  const definition = () => define({ source, stages });
  return Object.freeze({
    source,
    // The mark is for the compiler alone.
    stages: Object.freeze(stages) as chain.Checked<unknown>,
    batches: (n: number, options?: BatchOptions) => batches(definition(), n, options),
    samples: (options?: OpenOptions) => samples(definition(), options),
  });
}

/**
 * A whole pipeline, the default export of a pipeline file. Stages are a list, whose order the compiler checks:
 * `definePipeline({ source: imageFolder('./photos'), stages: [decode(), resize(100)], sink: images() })`. In a list an unannotated
 * function in `each` is only told that it gets a `Sample`; where it reads fields of earlier stages, write
 * `definePipeline({ ...pipeline(imageFolder('./photos'), decode(), each((s) => …)), sink: images() })`: there it knows them.
 */
export function definePipeline<S>(
  parts: Rest & { readonly source: Source<S>; readonly stages: readonly [] },
): Definition<S>;
export function definePipeline<S, A>(parts: Rest & chain.Parts<S, chain.Chain1<S, A>>): Definition<chain.After1<S, A>>;
export function definePipeline<S, A, B>(
  parts: Rest & chain.Parts<S, chain.Chain2<S, A, B>>,
): Definition<chain.After2<S, A, B>>;
export function definePipeline<S, A, B, C>(
  parts: Rest & chain.Parts<S, chain.Chain3<S, A, B, C>>,
): Definition<chain.After3<S, A, B, C>>;
export function definePipeline<S, A, B, C, D>(
  parts: Rest & chain.Parts<S, chain.Chain4<S, A, B, C, D>>,
): Definition<chain.After4<S, A, B, C, D>>;
export function definePipeline<S, A, B, C, D, E>(
  parts: Rest & chain.Parts<S, chain.Chain5<S, A, B, C, D, E>>,
): Definition<chain.After5<S, A, B, C, D, E>>;
export function definePipeline<S, A, B, C, D, E, F>(
  parts: Rest & chain.Parts<S, chain.Chain6<S, A, B, C, D, E, F>>,
): Definition<chain.After6<S, A, B, C, D, E, F>>;
export function definePipeline<S, A, B, C, D, E, F, G>(
  parts: Rest & chain.Parts<S, chain.Chain7<S, A, B, C, D, E, F, G>>,
): Definition<chain.After7<S, A, B, C, D, E, F, G>>;
export function definePipeline<S, A, B, C, D, E, F, G, H>(
  parts: Rest & chain.Parts<S, chain.Chain8<S, A, B, C, D, E, F, G, H>>,
): Definition<chain.After8<S, A, B, C, D, E, F, G, H>>;
export function definePipeline<S, A, B, C, D, E, F, G, H, I>(
  parts: Rest & chain.Parts<S, chain.Chain9<S, A, B, C, D, E, F, G, H, I>>,
): Definition<chain.After9<S, A, B, C, D, E, F, G, H, I>>;
export function definePipeline<S, A, B, C, D, E, F, G, H, I, J>(
  parts: Rest & chain.Parts<S, chain.Chain10<S, A, B, C, D, E, F, G, H, I, J>>,
): Definition<chain.After10<S, A, B, C, D, E, F, G, H, I, J>>;
export function definePipeline<S, A, B, C, D, E, F, G, H, I, J, K>(
  parts: Rest & chain.Parts<S, chain.Chain11<S, A, B, C, D, E, F, G, H, I, J, K>>,
): Definition<chain.After11<S, A, B, C, D, E, F, G, H, I, J, K>>;
export function definePipeline<S, A, B, C, D, E, F, G, H, I, J, K, L>(
  parts: Rest & chain.Parts<S, chain.Chain12<S, A, B, C, D, E, F, G, H, I, J, K, L>>,
): Definition<chain.After12<S, A, B, C, D, E, F, G, H, I, J, K, L>>;
export function definePipeline<S>(
  parts: Rest & { readonly source: Source; readonly stages: chain.Checked<S> },
): Definition<S>;
// The compiler tells of the last form only: this one says what is wrong with the others.
export function definePipeline<S, const Stages extends readonly Stage[]>(
  parts: Rest & { readonly source: Source<S>; readonly stages: Stages & chain.Explained<S, Stages> },
): Definition;
export function definePipeline(
  parts: Rest & { readonly source: Source; readonly stages: readonly Stage[] },
): Definition {
  return define(parts);
}

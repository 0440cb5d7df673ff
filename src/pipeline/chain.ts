import type { Source } from '../sources/source.ts';
import type { Next, Stage } from '../streams/stage.ts';

/*
 * The types that make a wrong order of stages a compile error, for chains of up to twelve stages. `After3<S, A, B, C>` is the sample that
 * source S and three stages give; `Chain3` is the list of those stages, each of which is handed what the ones before it have made.
 */

export type After1<S, A> = Next<S, A>;
export type After2<S, A, B> = Next<After1<S, A>, B>;
export type After3<S, A, B, C> = Next<After2<S, A, B>, C>;
export type After4<S, A, B, C, D> = Next<After3<S, A, B, C>, D>;
export type After5<S, A, B, C, D, E> = Next<After4<S, A, B, C, D>, E>;
export type After6<S, A, B, C, D, E, F> = Next<After5<S, A, B, C, D, E>, F>;
export type After7<S, A, B, C, D, E, F, G> = Next<After6<S, A, B, C, D, E, F>, G>;
export type After8<S, A, B, C, D, E, F, G, H> = Next<After7<S, A, B, C, D, E, F, G>, H>;
export type After9<S, A, B, C, D, E, F, G, H, I> = Next<After8<S, A, B, C, D, E, F, G, H>, I>;
export type After10<S, A, B, C, D, E, F, G, H, I, J> = Next<After9<S, A, B, C, D, E, F, G, H, I>, J>;
export type After11<S, A, B, C, D, E, F, G, H, I, J, K> = Next<After10<S, A, B, C, D, E, F, G, H, I, J>, K>;
export type After12<S, A, B, C, D, E, F, G, H, I, J, K, L> = Next<After11<S, A, B, C, D, E, F, G, H, I, J, K>, L>;

export type Chain1<S, A> = readonly [Stage<S, A>];
export type Chain2<S, A, B> = readonly [...Chain1<S, A>, Stage<After1<S, A>, B>];
export type Chain3<S, A, B, C> = readonly [...Chain2<S, A, B>, Stage<After2<S, A, B>, C>];
export type Chain4<S, A, B, C, D> = readonly [...Chain3<S, A, B, C>, Stage<After3<S, A, B, C>, D>];
export type Chain5<S, A, B, C, D, E> = readonly [...Chain4<S, A, B, C, D>, Stage<After4<S, A, B, C, D>, E>];
export type Chain6<S, A, B, C, D, E, F> = readonly [...Chain5<S, A, B, C, D, E>, Stage<After5<S, A, B, C, D, E>, F>];
export type Chain7<S, A, B, C, D, E, F, G> = readonly [
  ...Chain6<S, A, B, C, D, E, F>,
  Stage<After6<S, A, B, C, D, E, F>, G>,
];
export type Chain8<S, A, B, C, D, E, F, G, H> = readonly [
  ...Chain7<S, A, B, C, D, E, F, G>,
  Stage<After7<S, A, B, C, D, E, F, G>, H>,
];
export type Chain9<S, A, B, C, D, E, F, G, H, I> = readonly [
  ...Chain8<S, A, B, C, D, E, F, G, H>,
  Stage<After8<S, A, B, C, D, E, F, G, H>, I>,
];
export type Chain10<S, A, B, C, D, E, F, G, H, I, J> = readonly [
  ...Chain9<S, A, B, C, D, E, F, G, H, I>,
  Stage<After9<S, A, B, C, D, E, F, G, H, I>, J>,
];
export type Chain11<S, A, B, C, D, E, F, G, H, I, J, K> = readonly [
  ...Chain10<S, A, B, C, D, E, F, G, H, I, J>,
  Stage<After10<S, A, B, C, D, E, F, G, H, I, J>, K>,
];
export type Chain12<S, A, B, C, D, E, F, G, H, I, J, K, L> = readonly [
  ...Chain11<S, A, B, C, D, E, F, G, H, I, J, K>,
  Stage<After11<S, A, B, C, D, E, F, G, H, I, J, K>, L>,
];

declare const checked: unique symbol;

/** Stages whose order the compiler has seen; S is the sample that leaves the last. Made by `pipeline`. */
export type Checked<S> = readonly Stage[] & { readonly [checked]: readonly [S] };

/** What `pipeline` and `definePipeline` have in common. */
export interface Parts<S, Stages> {
  readonly source: Source<S>;
  readonly stages: Stages;
}

/**
 * A list of stages as it is where each is given what it needs; otherwise with a sentence in the place of the first that is not, which the
 * compiler then tells. A list of a length that the compiler does not know has to be a checked one.
 */
export type Explained<S, Stages extends readonly Stage[]> = number extends Stages['length']
  ? Checked<unknown>
  : Lined<S, Stages, []>;

type Lined<S, Left extends readonly unknown[], Sound extends readonly unknown[]> = Left extends readonly [
  infer Head,
  ...infer Tail,
]
  ? Head extends Stage<infer In, infer Out>
    ? S extends In
      ? Lined<Next<S, Out>, Tail, [...Sound, Head]>
      : readonly [...Sound, Lacking<Exclude<keyof In, keyof S> & string>, ...Tail]
    : never
  : readonly [...Sound];

type Lacking<Fields extends string> = [Fields] extends [never]
  ? 'a stage that takes the fields as the stages before it give them'
  : `a stage that needs no \`${Fields}\`, or a stage in front of it that gives it`;

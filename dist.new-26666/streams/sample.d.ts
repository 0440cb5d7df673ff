/** One record in the stream. Stages add fields; `key`, `position` and `epoch` name the sample and stay as they are. */
export interface Sample {
    /** Where the sample comes from: a relative path with forward slashes, `dir/a.jpg`; `dir/a.jpg#r` in pass r of `repeat`; `…/i` for the i-th part of an expanded sample. */
    readonly key: string;
    /** Its place in the run's order, from 0. */
    readonly position: number;
    /** The epoch in which it is read, from 0. */
    readonly epoch: number;
}
/** A stage's word that a sample ends here, without being a failure. Made by `drop`. */
export declare class Drop {
    readonly reason: string;
    constructor(reason: string);
}
/** What a stage returns to let a sample go: it is counted under `reason`, its permit returns, the next sample takes its place. */
export declare function drop(reason: string): Drop;
/** What may come back from a stage's function for one sample. */
export type Outcome<T> = T | readonly T[] | Drop;
/** True for an object that can travel on: it has the fields of `Sample`. */
export declare function isSample(value: unknown): value is Sample;
/** The sample with fields added or replaced: `{ ...sample, ...fields }`, for which V8 takes ten times as long where a field is new. */
export declare function withFields<S extends Sample, F extends object>(sample: S, fields: F): Omit<S, keyof F> & F;

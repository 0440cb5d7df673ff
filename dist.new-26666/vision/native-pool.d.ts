import { type Absent, type ImageAddon } from '../native.ts';
/** Work that native/image does for somebody. */
export interface PoolJob {
    /** How it has ended: the outcome (`imageOutcomes`), the bytes of a file, and what is wrong with a broken picture. */
    ended(outcome: number, size: number, message: string): void;
}
/** The jobs that this thread has given to native/image. All that have ended by the time of a message come in it. */
export declare class NativePool {
    #private;
    readonly addon: ImageAddon;
    constructor(addon: ImageAddon, threads: number);
    /** An id for a job that is about to be submitted. */
    open(job: PoolJob): number;
    /** Gives the id of a job back that was not submitted. */
    close(id: number): void;
}
/** The pool of this thread, or why native/image is not there. */
export declare function nativePool(): NativePool | Absent;

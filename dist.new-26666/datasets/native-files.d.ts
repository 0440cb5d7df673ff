import { type NativePool, type PoolJob } from '../vision/native-pool.ts';
import type { Recycler } from './recycler.ts';
/** Larger files are read in pieces, so that an abort is heard between them. */
export declare const mostAtOnce: number;
/**
 * Whether a read is worth trying. Where files do not lie in memory, most tries are in vain: after each that fails behind another, twice as many reads are not
 * tried. One that fails among others that do not, as where the system has given some pages away, tells nothing of the next.
 */
export declare class Trials {
    #private;
    isDue(): boolean;
    succeeded(): void;
    failed(): void;
}
interface Limits {
    readonly maxBytes: number;
    readonly signal?: AbortSignal | undefined;
}
/** A file at the addon, or on its way there. */
declare class Wanted implements PoolJob {
    #private;
    readonly path: string;
    readonly limits: Limits;
    readonly memory: Recycler;
    /** Reads the file where it must be read another way. */
    readonly otherwise: () => Promise<Uint8Array>;
    readonly resolve: (bytes: Uint8Array | Promise<Uint8Array>) => void;
    room: Uint8Array;
    constructor(home: NativeFiles, path: string, limits: Limits, memory: Recycler, room: Uint8Array, otherwise: () => Promise<Uint8Array>, resolve: (bytes: Uint8Array | Promise<Uint8Array>) => void);
    ended(outcome: number, size: number): void;
}
/**
 * Reads files that lie in the system's memory, as those of every epoch but the first do where there is enough of it: by the threads that render, which are
 * awake, many with one call and one message. What would wait for a disk is left to Node's threads.
 */
declare class NativeFiles {
    #private;
    constructor(pool: NativePool);
    /**
     * The bytes of a file, in memory that `memory` has lent; nothing where it is not tried just now. `otherwise` reads the file where it must be read another
     * way.
     */
    read(path: string, limits: Limits, memory: Recycler, otherwise: () => Promise<Uint8Array>): Promise<Uint8Array> | undefined;
    /** For its files only. */
    ended(wanted: Wanted, outcome: number, size: number): void;
}
/** Reading by native/image, where it is there. */
export declare function nativeFiles(): NativeFiles | undefined;
export {};

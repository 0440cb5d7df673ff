import { type Absent } from '../native.ts';
import { type NativePool } from './native-pool.ts';
import type { Origin, Picture } from './picture.ts';
/** A picture and the memory it is to be rendered into: uint8 RGB, width · height · 3 bytes, for example a field of a cell. */
export interface Rendering {
    readonly picture: Picture;
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
/**
 * The native renderer of this thread. Jobs that are asked for in one turn of the event loop go to the addon in one call, and come back in one
 * message for all that have ended by then.
 */
export declare class NativeRenderer {
    #private;
    constructor(pool: NativePool);
    about(): {
        readonly version: string;
        readonly vectors: string;
    };
    /** How many threads render. */
    setThreads(count: number): void;
    /**
     * Renders all of a sample's pictures. Those that it cannot render it leaves to `otherwise`, and has written nothing. Into a place that is taken back
     * nothing is written from then on, which counts as done.
     *
     * @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
     */
    render(renderings: readonly Rendering[], place: Place | undefined, otherwise: () => Promise<void>): Promise<void>;
}
/** Raw pixels of sides that the addon takes, and JPEGs whose colours need no profile (their sides are within that). */
export declare function isRenderable(origin: Origin): boolean;
/** The error of the catalogue for what the addon throws when it takes no job. */
export declare function refusal(cause: Error): Error;
/** The native renderer of this thread, or why everything is rendered by sharp. */
export declare function nativeRenderer(): NativeRenderer | Absent;
/** Which renderer this machine has, for people: `native/image (libjpeg-turbo 2.1.5, avx2): JPEG and raw pixels; sharp: the rest`. */
export declare function aboutRenderer(native?: NativeRenderer | Absent): string;
/** How many native threads render for this JavaScript thread from now on; as many as there are cores by default. Nothing when sharp renders. */
export declare function setRenderThreads(count: number): void;

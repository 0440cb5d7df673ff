import type { Recycler } from './recycler.ts';
/** The code of an error of the operating system (`ENOENT`), if it is one. */
export declare function systemCode(error: unknown): string | undefined;
export interface ReadOptions {
    /** The most bytes that the file may have. */
    readonly maxBytes: number;
    readonly signal?: AbortSignal | undefined;
    readonly memory?: Recycler | undefined;
}
/**
 * Reads a whole file, into memory of its own or what `memory` lends. The size is what the file says, not what is believed: one that has become
 * shorter or longer is read to its end.
 *
 * @throws FILE_UNREADABLE, FILE_LARGE (before anything is read, or where the file turns out to be larger than it said); the signal's reason when
 * it is aborted.
 */
export declare function readWhole(path: string, name: string, options: ReadOptions): Promise<Uint8Array>;
export interface Listing {
    /** Paths relative to the folder, with forward slashes, in the order of their UTF-16 code units. */
    readonly files: readonly string[];
    /** How many other files were passed over. */
    readonly others: number;
}
/**
 * Lists the files of a folder and of all folders in it whose name, and path in the folder, `wanted` accepts. Hidden names (`.x`) are passed over; links are
 * followed, each real folder is entered once, so that a link to a folder above does not go round for ever; a link to nothing is
 * passed over.
 * @throws FOLDER_MISSING, FOLDER_FILE, FOLDER_UNREADABLE
 */
export declare function listFiles(root: string, wanted: (name: string, path: string) => boolean, { signal, progress }?: {
    signal?: AbortSignal;
    progress?: (text: string) => void;
}): Promise<Listing>;

/**
 * Memory for the files of one run, used for one after the other: as garbage, memory of this size has the collector run every few hundred files.
 * Whoever takes memory gives it back once nothing reads it any more, or keeps it and says nothing.
 */
export declare class Recycler {
    #private;
    /** Room for at least so many bytes. What is in it is left over from others. */
    take(bytes: number): Uint8Array;
    /** Takes the memory under `bytes` back; nothing where it is somebody else's, or came back before. Nobody may read it from then on. */
    giveBack({ buffer }: Uint8Array): void;
}

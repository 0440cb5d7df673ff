/** What a face of ExpW has: the photo's file, where the face is, [left, top, width, height] in pixels, and its expression. */
export type ExpwFields = {
    readonly bytes: Uint8Array;
    readonly box: Int32Array;
    readonly label: number;
};
/**
 * Faces of ExpW (Expression in the Wild): one sample for each line of `label/label.lst` (`name face top left right bottom confidence label`),
 * whose photo lies in `image/origin`. A key is the photo's name, a slash and the number of the face. A split is not published; here a
 * photo with all its faces is a test photo by the MurmurHash3 of its name, one in five.
 * Opening throws FILE_UNREADABLE, FILE_LARGE, EXPW_LINE, EXPW_EMPTY; a sample fails with FILE_UNREADABLE, FILE_LARGE.
 */
export declare const expw: import("./source.ts").SourceFactory<string | {
    path: string;
    part?: "all" | "train" | "test" | undefined;
    minSide?: number | undefined;
    maxBytes?: number | undefined;
}, {
    path: string;
    part: "all" | "train" | "test";
    minSide: number;
    maxBytes: number;
}, import("../index.ts").Sample & ExpwFields>;

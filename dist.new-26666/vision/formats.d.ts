/** Formats that sharp can decode and a source may allow by name. SVG is not among them: it can name other files, and has no pixels of its own. */
export declare const pictureFormats: readonly ["jpeg", "png", "webp", "gif", "tiff", "avif"];
export type Format = (typeof pictureFormats)[number];
/** The endings under which files of a format are usually found. */
export declare const formatEndings: Readonly<Record<Format, readonly string[]>>;
/** What the first bytes of a file say it is: `what` for people, `format` when it is a picture that can be decoded. Looks at no more than 1 KB. */
export declare function sniff(bytes: Uint8Array): {
    readonly what: string;
    readonly format?: Format;
};

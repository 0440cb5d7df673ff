import type { Place, Rendering } from './render-native.ts';
/**
 * Renders several pictures of one sample with sharp, which can all that pictures describe; pixels are made in memory of their own and copied to
 * `place` at the end, if it is still the sample's.
 * @throws PICTURE_BROKEN
 */
export declare function renderWithSharp(renderings: readonly Rendering[], place?: Place): Promise<void>;

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openPicture } from '../../../src/vision/open.ts';
import type { Picture } from '../../../src/vision/picture.ts';

/** The folder with six photographs of 20 faces, 1920 px wide, which come with face-api. */
export const facesFolder = join('node_modules', '@vladmandic', 'face-api', 'demo');

export const facePhotos = [1, 2, 3, 4, 5, 6].map((number) => join(facesFolder, `sample${number}.jpg`));

/** Why a test of faces cannot run here, or false. */
export const withoutPhotos = existsSync(facePhotos[0]!) ? false : 'the package @vladmandic/face-api is not installed';

export const photoBytes = (index: number) => new Uint8Array(readFileSync(facePhotos[index]!));

/** A photograph, opened: 4, 1, 3, 3, 5 and 4 faces by dlib. */
export const photo = (index: number): Promise<Picture> => openPicture(photoBytes(index));

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Test } from 'tap';
import { startDlib } from '../../../bench/peers/faces.ts';
import { type DlibDetector, dlibDetector } from '../../../src/faces/dlib.ts';
import { landmarkCount } from '../../../src/faces/landmarks.ts';
import { Random } from '../../../src/random.ts';
import { openPicture } from '../../../src/vision/open.ts';
import type { Picture } from '../../../src/vision/picture.ts';
import { facePhotos, photo } from './faces.ts';

/** Why no program on dlib can be compiled here, or false. */
export function withoutCompiler(): string | false {
  try {
    execFileSync(process.env.CXX ?? 'g++', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no compiler';
  }
}

const detect = (picture: Picture, query: { minSide: number; landmarks?: boolean }) =>
  (dlibDetector() as DlibDetector).detect(picture, query);

/** Faces as a plain program on dlib finds them at full resolution: [left, top, width, height, confidence, …landmarks], by file. */
export type PlainFaces = readonly (readonly (readonly number[])[])[];

/** Has the program look, which is compiled in `folder` for that. @param model of the landmarks. */
export async function askPlainDlib(folder: string, paths: readonly string[], model?: string): Promise<PlainFaces> {
  const plain = await startDlib(folder, 1, model);
  try {
    return await plain.detect([...paths]);
  } finally {
    plain.close();
  }
}

/** What it has found on the photographs, with landmarks, by dlib 19.24; test/all/faces.test.ts asks it again. */
export const recordedFaces = (): PlainFaces =>
  JSON.parse(readFileSync(join('test', 'kit', 'pictures', 'plain-faces.json'), 'utf8'));

/** Faces of at least 80 px that there are: 19 on all photographs, one on each. */
const leastOf = (photos: readonly number[]) => (photos.length === facePhotos.length ? 19 : photos.length);

/** The plain program's faces of at least that side. */
const largeOnes = (faces: PlainFaces[number], minSide: number) =>
  faces.filter(([, , width, height]) => Math.min(width!, height!) >= minSide);

/** Holds our boxes and confidences on photographs to the plain program's. @param photos their numbers. @param sides of the faces, in pixels. */
export async function sameBoxes(
  t: Test,
  all: PlainFaces,
  photos: readonly number[],
  sides: readonly number[],
): Promise<void> {
  const paths = photos.map((i) => facePhotos[i]!);
  const theirs = photos.map((i) => all[i]!);
  for (const minSide of sides) {
    for (const [i, faces] of theirs.entries()) {
      const ours = await detect(await photo(photos[i]!), { minSide });
      const large = largeOnes(faces, minSide);
      t.same(
        ours.map(({ box: { left, top, width, height } }) => [left, top, width, height]),
        large.map((face) => face.slice(0, 4)),
        `${paths[i]}, ${minSide} px`,
      );
      for (const [j, { confidence }] of ours.entries()) {
        t.ok(Math.abs(confidence - large[j]![4]!) < 1e-5, `confidence ${confidence} ${large[j]![4]}`);
      }
    }
  }
  t.ok(theirs.flatMap((faces) => largeOnes(faces, 80)).length >= leastOf(photos));
}

/** The same for parts of the photographs, of any size, some of them narrow. @param count how many. */
export async function sameBoxesInParts(t: Test, folder: string, count: number): Promise<void> {
  const paths: string[] = [];
  for (let i = 0; i < count; i++) {
    const { width, height } = await sharp(facePhotos[i % 6]).metadata();
    const random = new Random(3, `part ${i}`, 'test');
    const scale = 0.4 + 0.6 * random.uniform();
    const [wide, high] = [width, height].map((side) => Math.round(side! * scale)) as [number, number];
    const part = {
      width: 1 + Math.floor(random.uniform() * (i % 4 === 0 ? 150 : wide - 1)),
      height: 1 + Math.floor(random.uniform() * (i % 4 === 1 ? 150 : high - 1)),
    };
    const left = Math.floor(random.uniform() * (wide - part.width));
    const top = Math.floor(random.uniform() * (high - part.height));
    const path = join(folder, `part-${i}.jpg`);
    const scaled = await sharp(facePhotos[i % 6])
      .resize(wide, high, { fit: 'fill' })
      .toBuffer();
    await sharp(scaled)
      .extract({ left, top, ...part })
      .jpeg()
      .toFile(path);
    paths.push(path);
  }
  const theirs = await askPlainDlib(folder, paths);
  t.ok(theirs.flat().length >= Math.floor((10 * count) / 24), `${theirs.flat().length} faces`);
  for (const [i, faces] of theirs.entries()) {
    const ours = await detect(await openPicture(new Uint8Array(readFileSync(paths[i]!))), { minSide: 80 });
    t.same(
      ours.map(({ box: { left, top, width, height } }) => [left, top, width, height]),
      largeOnes(faces, 80).map((face) => face.slice(0, 4)),
      paths[i],
    );
  }
}

/** Holds our landmarks on photographs to the plain program's, which rounds them. @param photos their numbers. */
export async function sameLandmarks(t: Test, all: PlainFaces, photos: readonly number[]): Promise<void> {
  const paths = photos.map((i) => facePhotos[i]!);
  let count = 0;
  for (const [i, faces] of photos.map((i) => all[i]!).entries()) {
    const ours = await detect(await photo(photos[i]!), { minSide: 80, landmarks: true });
    t.same(ours.length, faces.length, paths[i]);
    for (const [j, { landmarks }] of ours.entries()) {
      t.ok(landmarks instanceof Float32Array && landmarks.length === 2 * landmarkCount);
      // dlib counts from the middle of the first pixel, and rounds; a float32 is 6e-5 px away at most.
      const rounded = faces[j]!.slice(5);
      t.same(rounded.length, 2 * landmarkCount);
      const most = Math.max(...rounded.map((at, k) => Math.abs(landmarks![k]! - 0.5 - at)));
      t.ok(most <= 0.5 + 1e-4, `${paths[i]}, face ${j}: ${most} px`);
      count++;
    }
  }
  t.ok(count >= leastOf(photos), `${count} faces`);
}

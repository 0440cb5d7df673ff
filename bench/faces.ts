/**
 * How fast are the faces of photographs found, and are they the same? Ours is the chain of a preprocessing job, image-folder → decode → face-crop, up to the
 * crops' descriptions; beside it dlib's detector called plainly (`-O3`, no flags for a machine, one process for each core, the whole picture at its full
 * resolution), which decodes the same JPEGs to grey with libjpeg. At 80 px both look at all of dlib's pyramid, at 120 px ours leaves out its two finest levels.
 * A third of the faces are 80 to 110 px large. Faces are counted as the same where their boxes overlap by half (intersection over union).
 * Arguments choose: `npm run bench -- faces 120`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { aboutDetector } from '../src/faces/face-detector.ts';
import { isLargeEnough, overlapOf } from '../src/faces/faces.ts';
import { decode, faceCrop, imageFolder, pipeline } from '../src/index.ts';
import type { Box } from '../src/vision/picture.ts';
import { makeFacePhotos } from './faces/photos.ts';
import { alternate, timed } from './loader/pairs.ts';
import { type PlainDlib, type PlainFace, startDlib } from './peers/faces.ts';
import type { Row } from './peers/row.ts';
import { isWanted, refuseUnknown } from './peers/wanted.ts';

/** The least side of a face, in pixels, by the argument that chooses it. */
const limits = { '80': 80, '120': 120 } as const;

/** Boxes by the name of the photo. */
type Found = ReadonlyMap<string, readonly Box[]>;

export async function run(args: readonly string[] = []): Promise<{ rows: Row[]; notes: string[] }> {
  refuseUnknown(args, Object.keys(limits));
  const folder = mkdtempSync(join(tmpdir(), 'patchstream-faces-'));
  let dlib: PlainDlib | undefined;
  try {
    dlib = await startDlib(folder, availableParallelism());
    const photos = join(folder, 'photos');
    const paths = await makeFacePhotos(photos);
    const plain = boxesOf(paths, await dlib.detect(paths));
    const rows: Row[] = [];
    for (const [name, minSide] of Object.entries(limits)) {
      if (!isWanted(name, Object.keys(limits), args)) continue;
      rows.push(await throughput(dlib, photos, paths, minSide), same(await oursOf(photos, minSide), plain, minSide));
    }
    return { rows, notes: [`Ours: ${aboutDetector('dlib')}.`, tellSizes(paths.length, plain)] };
  } finally {
    dlib?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function throughput(dlib: PlainDlib, photos: string, paths: readonly string[], minSide: number): Promise<Row> {
  const speed = await alternate(
    {
      ours: () => timed(() => oursOf(photos, minSide)),
      theirs: () => timed(() => dlib.detect(paths)),
      images: paths.length,
    },
    5,
  );
  return { what: `throughput ${minSide} px`, ...speed, more: 'from files; theirs one process for each core' };
}

/** Of the faces that either side finds above the limit, how many both find. */
function same(ours: Found, plain: Found, minSide: number): Row {
  let [both, lost, gained] = [0, 0, 0];
  for (const [name, all] of plain) {
    const theirs = all.filter((box) => isLargeEnough(box, minSide));
    const found = ours.get(name) ?? [];
    const kept = theirs.filter((box) => found.some((other) => overlapOf(box, other) >= 0.5)).length;
    both += kept;
    lost += theirs.length - kept;
    gained += found.filter((box) => !theirs.some((other) => overlapOf(box, other) >= 0.5)).length;
  }
  const either = both + lost + gained;
  const what = `the same faces ${minSide} px`;
  return {
    what,
    ours: both,
    theirs: either,
    unit: 'faces',
    ratio: both / either,
    more: `${lost} lost, ${gained} gained`,
  };
}

/** One pass of our chain over the photos. */
async function oursOf(photos: string, minSide: number): Promise<Found> {
  const found = new Map<string, Box[]>();
  for await (const { key, box } of pipeline(
    imageFolder(photos),
    decode(),
    faceCrop({ minSide, detector: 'dlib' }),
  ).samples()) {
    const name = key.slice(0, key.lastIndexOf('/'));
    const [left, top, width, height] = box as unknown as [number, number, number, number];
    found.set(name, [...(found.get(name) ?? []), { left, top, width, height }]);
  }
  return found;
}

function boxesOf(paths: readonly string[], faces: readonly (readonly PlainFace[])[]): Found {
  return new Map(
    paths.map((path, i) => [
      basename(path),
      faces[i]!.map(([left, top, width, height]) => ({ left, top, width, height })),
    ]),
  );
}

function tellSizes(photos: number, plain: Found): string {
  const sides = [...plain.values()].flat().map(({ width }) => width);
  const small = sides.filter((side) => side >= 80 && side <= 110).length;
  const share = Math.round((100 * small) / sides.length);
  return `${photos} photographs with ${sides.length} faces by dlib at full resolution, ${small} of them (${share} %) 80 to 110 px large.`;
}

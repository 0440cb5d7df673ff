import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { facePhotos, withoutPhotos } from '../kit/pictures/faces.ts';
import { modelPath, withoutLandmarks } from '../kit/pictures/landmarks.ts';
import {
  askPlainDlib,
  recordedFaces,
  sameBoxes,
  sameBoxesInParts,
  sameLandmarks,
  withoutCompiler,
} from '../kit/pictures/plain-dlib.ts';

const addon = dlibAddon();
const skip = (isAbsent(addon) ? addon.found : false) || withoutPhotos || withoutCompiler();
const folder = mkdtempSync(join(tmpdir(), 'patchstream-faces-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const photos = [0, 1, 2, 3, 4, 5];

t.test(
  'all boxes and landmarks are those of a plain program on dlib, to the pixel',
  { skip: skip || withoutLandmarks },
  async (t) => {
    const theirs = await askPlainDlib(folder, facePhotos, modelPath);
    t.same(theirs, recordedFaces(), 'as recorded for the quick tests');
    await sameBoxes(t, theirs, photos, [80, 120, 200, 280]);
    await sameLandmarks(t, theirs, photos);
  },
);

t.test('so are the boxes in 24 parts of any size', { skip }, (t) => sameBoxesInParts(t, folder, 24));

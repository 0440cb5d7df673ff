import { fail } from '../errors.ts';
import { type Absent, isAbsent } from '../native.ts';
import { dlibDetector } from './dlib.ts';
import { faceApiDetector } from './face-api.ts';
import { type FaceDetector, type FaceDetectorName, faceDetectors } from './faces.ts';
import { landmarksError } from './landmark-model.ts';

/** Each detector of this thread, or why it is not there. In the order in which `auto` takes them. */
const detectors: Readonly<Record<FaceDetectorName, () => FaceDetector | Absent>> = {
  dlib: dlibDetector,
  'face-api': faceApiDetector,
};

/**
 * The detector of that name, or with `auto` the first that this machine has. Which one it is never hangs on `landmarks`, since the two find different boxes.
 * @throws FACES_DETECTOR when it is not there, FACES_LANDMARKS when it has no model for the landmarks that are wanted.
 */
export function chooseDetector(wanted: FaceDetectorName | 'auto', { landmarks = false } = {}): FaceDetector {
  const missing: string[] = [];
  for (const name of wanted === 'auto' ? faceDetectors : [wanted]) {
    const found = detectors[name]();
    if (!isAbsent(found)) {
      const model = landmarks ? found.landmarks() : '';
      if (typeof model === 'object') throw landmarksError(model.found);
      return found;
    }
    missing.push(`${name}: ${found.found}`);
  }
  throw fail('FACES_DETECTOR', { found: missing.join('; ') });
}

/** Which detector finds the faces, and why, for people: `dlib 19.24 (avx2)`, `face-api 1.7.15, since of dlib its addon is not built`. */
export function aboutDetector(wanted: FaceDetectorName | 'auto' = 'auto'): string {
  const dlib = wanted === 'face-api' ? undefined : detectors.dlib();
  if (dlib !== undefined && !isAbsent(dlib)) return dlib.about;
  const faceApi = wanted === 'dlib' ? undefined : detectors['face-api']();
  const without = dlib === undefined ? '' : `dlib is missing: ${dlib.found}`;
  if (faceApi === undefined) return without;
  if (isAbsent(faceApi))
    return [without, `face-api is missing: ${faceApi.found}`].filter((part) => part !== '').join('; ');
  return [faceApi.about, without].filter((part) => part !== '').join('; ');
}

/** What finds the landmarks of that detector's faces, for people, or why nothing does; nothing where there is no detector. */
export function landmarksOf(wanted: FaceDetectorName | 'auto' = 'auto'): string | Absent | undefined {
  for (const name of wanted === 'auto' ? faceDetectors : [wanted]) {
    const found = detectors[name]();
    if (!isAbsent(found)) return found.landmarks();
  }
  return undefined;
}

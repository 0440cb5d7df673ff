import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { type DlibDetector, dlibDetector } from '../../src/faces/dlib.ts';
import { faceApiDetector } from '../../src/faces/face-api.ts';
import { chooseDetector, landmarksOf } from '../../src/faces/face-detector.ts';
import type { Face } from '../../src/faces/faces.ts';
import { landmarkModel } from '../../src/faces/landmark-model.ts';
import { eyesOf } from '../../src/faces/landmarks.ts';
import { dlibAddon, isAbsent } from '../../src/native.ts';
import { photo, withoutPhotos } from '../kit/pictures/faces.ts';
import {
  column,
  float,
  gridShape,
  integer,
  modelPath,
  smallModel,
  withoutLandmarks,
} from '../kit/pictures/landmarks.ts';
import { recordedFaces, sameLandmarks } from '../kit/pictures/plain-dlib.ts';
import { growth, residentMiB } from '../kit/runs/memory.ts';

const addon = dlibAddon();
const withoutDlib = (isAbsent(addon) && addon.found) || withoutPhotos;
const skip = withoutLandmarks || withoutPhotos;
const folder = mkdtempSync(join(tmpdir(), 'patchstream-landmarks-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const variable = 'PATCHSTREAM_LANDMARKS';

/** Does something while the variable names a file. */
async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = process.env[variable];
  process.env[variable] = path;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env[variable];
    else process.env[variable] = before;
  }
}

let written = 0;
function fileOf(bytes: Uint8Array): string {
  const path = join(folder, `model-${written++}.dat`);
  writeFileSync(path, bytes);
  return path;
}

const detect = async (index: number, query = {}): Promise<readonly Face[]> =>
  (dlibDetector() as DlibDetector).detect(await photo(index), { minSide: 80, landmarks: true, ...query });

/** What comes of a model's file on a photo with one face. */
const withModel = (bytes: Uint8Array, path = fileOf(bytes)) => naming(path, () => detect(1));

// Of all photographs, beside the program itself: test/all/faces.test.ts.
t.test('the landmarks are those of a plain program on dlib, which rounds them', { skip }, (t) =>
  sameLandmarks(t, recordedFaces(), [0, 3]),
);

t.test(
  'the same again is the same; without asking there are none; the boxes do not hang on it',
  { skip },
  async (t) => {
    const [once, again] = [await detect(0), await detect(0)];
    t.same(once, again);
    const without = await detect(0, { landmarks: false });
    t.same(
      without,
      once.map(({ box, confidence }) => ({ box, confidence })),
    );
  },
);

t.test(
  'where the picture is made larger or smaller first, landmarks are in pixels of the photo',
  { skip },
  async (t) => {
    const picture = await photo(1);
    const [full] = await detect(1);
    for (const [minSide, scale] of [
      [60, 1],
      [300, 2],
    ] as const) {
      const size = { width: picture.width * scale, height: picture.height * scale };
      const [face] = await (dlibDetector() as DlibDetector).detect(picture.resize(size), { minSide, landmarks: true });
      const ours = eyesOf(face!.landmarks!);
      const theirs = eyesOf(full!.landmarks!.map((at) => at * scale));
      const between = Math.hypot(theirs[1].x - theirs[0].x, theirs[1].y - theirs[0].y);
      for (const i of [0, 1] as const) {
        const apart = Math.hypot(ours[i].x - theirs[i].x, ours[i].y - theirs[i].y);
        t.ok(apart < 0.06 * between, `${minSide} px, eye ${i}: ${apart} of ${between} px`);
      }
    }
  },
);

t.test("face-api's landmarks: the same eyes, by its own network", { skip }, async (t) => {
  const detector = faceApiDetector();
  if (isAbsent(detector)) return t.fail(detector.found);
  for (const i of [1, 2]) {
    const faces = await detector.detect(await photo(i), { minSide: 80, landmarks: true });
    const theirs = (await detect(i)).map(({ landmarks }) => eyesOf(landmarks!));
    t.ok(theirs.length > 0);
    for (const [left, right] of theirs) {
      const between = Math.hypot(right.x - left.x, right.y - left.y);
      const nearest = Math.min(
        ...faces.map(({ landmarks }) => {
          const [a, b] = eyesOf(landmarks!);
          return Math.max(Math.hypot(a.x - left.x, a.y - left.y), Math.hypot(b.x - right.x, b.y - right.y));
        }),
      );
      t.ok(nearest < 0.15 * between, `photo ${i}: ${nearest} of ${between} px`);
    }
  }
});

t.test(
  'a model by hand: its landmarks are where it says, and a brighter pixel moves them',
  { skip: withoutDlib },
  async (t) => {
    const still = { threshold: 0, steps: [0, 0] as const };
    const [face] = await withModel(smallModel({ trees: [still], initial: gridShape }));
    const { left, top, width, height } = face!.box;
    for (const [i, share] of gridShape.entries()) {
      const expected = i % 2 === 0 ? left + share * (width - 1) + 0.5 : top + share * (height - 1) + 0.5;
      t.ok(Math.abs(face!.landmarks![i]! - expected) < 1e-3, `${face!.landmarks![i]} ${expected}`);
    }
    // Landmark 0 is a place in the face, landmark 1 lies far outside, where all is black: the first branch.
    const initial = gridShape.with(2, 900).with(0, 0.5).with(1, 0.5);
    const tree = { threshold: 0, steps: [0.25, -0.25] as const };
    const [moved] = await withModel(smallModel({ trees: [tree, tree], initial }));
    t.ok(Math.abs(moved!.landmarks![0]! - (left + (width - 1) + 0.5)) < 1e-3, 'by 0.25 twice');
    const [other] = await withModel(smallModel({ trees: [{ ...tree, threshold: 255 }], initial }));
    t.ok(Math.abs(other!.landmarks![0]! - (left + 0.25 * (width - 1) + 0.5)) < 1e-3, 'the second branch');
  },
);

const sound = smallModel({ trees: [{ threshold: 3, steps: [0.25, 0] }], initial: gridShape });

t.test(
  'files that are no model: an error which says what is wrong, and the run ends',
  { skip: withoutDlib },
  async (t) => {
    const head = [...integer(1), ...column(gridShape)];
    const wrong: readonly [name: string, bytes: readonly number[] | Uint8Array, RegExp][] = [
      ['empty', [], /ends too early/],
      ['text', [...Buffer.from('not a model at all')], /holds what is no number/],
      ['another version', integer(2), /version 1/],
      ['five landmarks', [...integer(1), ...column(gridShape.slice(0, 10))], /has not 68 landmarks/],
      [
        'a shape that is too long',
        [...integer(1), ...integer(-(2 ** 40)), ...integer(-1)],
        /announces more than it holds/,
      ],
      ['too many rounds', [...head, ...integer(5000), ...new Uint8Array(20_000)], /1000 rounds/],
      ['trees without end', [...head, ...integer(1), ...integer(2 ** 45)], /announces more than it holds/],
      [
        'splits without end',
        [...head, ...integer(1), ...integer(1), ...integer(2 ** 33)],
        /announces more than it holds/,
      ],
      ['a number below zero', [...head, ...integer(-3)], /announces more than it holds/],
      [
        'infinity',
        [...integer(1), ...integer(-136), ...integer(-1), ...integer(0), ...integer(32_000), ...sound],
        /too large/,
      ],
      ['cut off', sound.subarray(0, sound.length - 1), /ends too early|announces more/],
      ['more behind it', [...sound, 0], /goes on after its end/],
      [
        'a feature beside no landmark',
        replaced(
          sound,
          [...integer(2), ...integer(0), ...integer(1), ...integer(1)],
          [...integer(2), ...integer(68), ...integer(1), ...integer(1)],
        ),
        /beside no landmark/,
      ],
      [
        'a comparison with no feature',
        replaced(sound, [...integer(0), ...integer(1), ...float(3)], [...integer(0), ...integer(7), ...float(3)]),
        /compares a feature/,
      ],
      [
        'two splits',
        replaced(
          sound,
          [...integer(1), ...integer(0), ...integer(1), ...float(3)],
          [...integer(2), ...integer(0), ...integer(1), ...float(3)],
        ),
        /branches of several lengths/,
      ],
      [
        'steps out of all bounds',
        smallModel({
          trees: [
            { threshold: 0, steps: [900, 900] },
            { threshold: 0, steps: [900, 900] },
          ],
          initial: gridShape,
        }),
        /out of all bounds/,
      ],
    ];
    for (const [name, bytes, message] of wrong) {
      await t.rejects(withModel(Uint8Array.from(bytes)), { code: 'FACES_LANDMARKS', ends: true, message }, name);
    }
    t.equal((await withModel(sound)).length, 1, 'and a sound one is read after all of them');
  },
);

function replaced(bytes: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const at = Buffer.from(bytes).lastIndexOf(Buffer.from(from));
  if (at < 0) throw new Error('The bytes are not there.');
  return Uint8Array.from([...bytes.subarray(0, at), ...to, ...bytes.subarray(at + from.length)]);
}

t.test(
  'files cut off or changed anywhere: landmarks or an error, in little memory',
  { skip: withoutDlib },
  async (t) => {
    const picture = await photo(1);
    const { left, top, width, height } = (await detect(1, { landmarks: false }))[0]!.box;
    const face = picture.crop({ left: left - 20, top: top - 20, width: width + 40, height: height + 40 });
    const detector = dlibDetector() as DlibDetector;
    const small = face.resize({ width: 120, height: 120 });
    const outcomes = new Map<string, number>();
    const look = async (bytes: Uint8Array) => {
      const outcome = await naming(fileOf(bytes), () => detector.detect(small, { minSide: 40, landmarks: true })).then(
        (faces) => (faces.every(({ landmarks }) => landmarks!.every(Number.isFinite)) ? 'landmarks' : 'no numbers'),
        (error: { code?: string }) => error.code ?? String(error),
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    };
    const readings = [residentMiB()];
    for (let end = 0; end < sound.length; end += 29) await look(sound.subarray(0, end));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const bytes = sound.slice();
          for (const [at, value] of changes) bytes[at] = value;
          await look(bytes);
        },
      ),
      { seed: 11, numRuns: 250 },
    );
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), look), { seed: 12, numRuns: 60 });
    t.same([...outcomes.keys()].toSorted(), ['FACES_LANDMARKS', 'landmarks']);
    readings.push(residentMiB());
    t.ok(growth(readings) < 100, `${growth(readings)} MiB`);
  },
);

t.test('what is no file, or cannot be read', { skip: withoutDlib }, async (t) => {
  for (const path of [folder, join(folder, 'missing.dat')]) {
    await t.rejects(
      naming(path, () => detect(1)),
      { code: 'FACES_LANDMARKS', message: /which is no file/ },
    );
  }
  const gone = join(folder, 'gone');
  symlinkSync(join(folder, 'nowhere'), gone);
  t.ok(typeof landmarkModel({ [variable]: gone }) === 'object');
});

t.test('a part of the real model, as of a download that broke off', { skip }, async (t) => {
  const bytes = readFileSync(modelPath).subarray(0, 2 ** 20);
  await t.rejects(withModel(bytes), {
    code: 'FACES_LANDMARKS',
    message: /announces more than it holds|ends too early/,
  });
});

t.test('a run that is ended while the model is read waits for nothing', { skip }, async (t) => {
  const copy = join(folder, 'copy.dat');
  symlinkSync(modelPath, copy);
  await naming(copy, async () => {
    const abort = new AbortController();
    const picture = await photo(1);
    const detector = dlibDetector() as DlibDetector;
    const query = { minSide: 80, landmarks: true };
    const answers = Array.from({ length: 6 }, () => detector.detect(picture, { ...query, signal: abort.signal }));
    // Its pixels are ready before the model is.
    await picture.pixels();
    abort.abort(new Error('enough'));
    for (const result of await Promise.allSettled(answers))
      t.match(result, { status: 'rejected', reason: { message: 'enough' } });
    t.equal((await detector.detect(picture, query)).length, 1, 'the next is answered');
  });
});

t.test('where the model is looked for, and what is said of it', async (t) => {
  const file = 'shape_predictor_68_face_landmarks.dat';
  const path = fileOf(sound);
  t.equal(landmarkModel({ [variable]: path }), path);
  t.match(landmarkModel({ [variable]: '' }, [folder]), {
    found: `no ${file} in ${folder}`,
    remedy: /apt-get install libdlib-data/,
  });
  t.match(landmarkModel({ [variable]: '/nowhere.dat' }), { found: /\/nowhere\.dat, which is no file/ });
  writeFileSync(join(folder, file), sound);
  t.equal(landmarkModel({}, [join(folder, 'not here'), folder]), join(folder, file));
  await naming('/nowhere.dat', async () => {
    if (!withoutDlib) t.match(landmarksOf('dlib'), { found: /\/nowhere\.dat/, remedy: /libdlib-data/ });
    if (!withoutDlib)
      t.throws(() => chooseDetector('dlib', { landmarks: true }), {
        code: 'FACES_LANDMARKS',
        message: /apt-get install libdlib-data/,
      });
    if (!isAbsent(faceApiDetector())) t.equal(chooseDetector('face-api', { landmarks: true }).name, 'face-api');
    if (!isAbsent(faceApiDetector())) t.match(landmarksOf('face-api'), /own network/);
  });
});

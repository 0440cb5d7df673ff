import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ckPlus } from '../../../src/sources/datasets/ck-plus.ts';
import { openPicture } from '../../../src/vision/open.ts';
import { type CkSequence, ckPlusExample, ckSequences } from '../../kit/datasets/examples.ts';
import { openExample } from '../../kit/datasets/mutate.ts';
import { writeFiles } from '../../kit/files/folder.ts';

const signal = new AbortController().signal;
const published = ckPlusExample();
type Files = Record<string, Uint8Array | string>;

async function open(t: import('tap').Test, change: (files: Files) => void = () => {}, options = {}) {
  const root = t.testdir({});
  const { files } = await published;
  const changed = { ...files };
  change(changed);
  writeFiles(join(root, 'data'), changed);
  return openExample({ source: ckPlus, options }, root);
}

const emotion = 'Emotion/S005/001/S005_001_00000011_emotion.txt';

t.test('first frames as neutral, the last three as what they show; every byte and label as published', async (t) => {
  const { files, labels } = await published;
  const source = await open(t);
  t.equal(source.count, 7 + 3 * 6, 'seven sequences with an emotion, one of them contempt');
  const samples = await Promise.all(
    Array.from({ length: source.count }, async (_, i) => [source.key(i), await source.read(i, signal)] as const),
  );
  t.same(
    samples.map(([key, { label }]) => [key, label]),
    [...labels],
  );
  for (const [key, { bytes }] of samples) t.same(Buffer.from(bytes as Uint8Array), files[`cohn-kanade-images/${key}`]);
  t.equal(source.file?.(0)?.endsWith('/data/cohn-kanade-images/S005/001/S005_001_00000001.png'), true);
  t.same(source.classNames?.[2], 'disgust');
  t.same(source.classCounts, [7, 3, 3, 3, 3, 3, 3]);
  const picture = await openPicture((await source.read(0, signal)).bytes as Uint8Array);
  t.same([picture.width, picture.height], [16, 12]);
  t.same(Object.fromEntries(source.passedOver!.map(({ reason, count }) => [reason, count])), {
    between: 11 + 4 + 6 + 5 + 12 + 4 + 9 - 25,
    unlabelled: 14,
    hidden: 2,
  });
});

t.test('1,254 samples of the 327 sequences that are published', async (t) => {
  // Anger, contempt, disgust, fear, happiness, sadness, surprise.
  const counts = [45, 18, 59, 25, 69, 28, 83];
  const emotions = counts.flatMap((count, i) => Array.from({ length: count }, () => i + 1));
  const sequences = emotions.map((emotion, i): CkSequence => {
    const name = `S${String(Math.floor(i / 3)).padStart(3, '0')}/00${(i % 3) + 1}`;
    return { name, frames: 4, emotion };
  });
  const root = t.testdir({});
  const { files } = await ckPlusExample(sequences, { width: 2, height: 2 });
  writeFiles(join(root, 'data'), files);
  const source = await openExample({ source: ckPlus }, root);
  t.equal(source.count, 1254);
  t.same(source.classCounts, [327, 135, 177, 75, 207, 84, 249]);

  const persons = async (options: object) => {
    const part = await openExample({ source: ckPlus, options }, root);
    return new Set(Array.from({ length: part.count }, (_, i) => part.key(i).slice(0, 4)));
  };
  const seen = new Map<string, number>();
  for (let fold = 1; fold <= 10; fold++) {
    const [inside, outside] = [await persons({ fold: `${fold}/10` }), await persons({ without: `${fold}/10` })];
    t.ok(
      inside.size > 0 && [...inside].every((person) => !outside.has(person)),
      `no person on both sides of ${fold}/10`,
    );
    for (const person of inside) seen.set(person, (seen.get(person) ?? 0) + 1);
  }
  t.ok(seen.size === 109 && [...seen.values()].every((times) => times === 1), 'each person in one fold');
});

t.test('what is not as published is refused, with its place', async (t) => {
  const refused = (message: RegExp, change: (files: Files) => void) =>
    t.rejects(open(t, change), { code: 'CK_FORMAT', message }, String(message));
  for (const text of ['', 'x', '8.0000000e+00', '-1', '2.5', '3 4', '1e400', '0x3', '\0'])
    await refused(/001\/S005_001_00000011_emotion\.txt: .*one number from 0 to 7/, (files) => (files[emotion] = text));
  await refused(/got two/, (files) => (files['Emotion/S005/001/S005_001_00000010_emotion.txt'] = '3'));
  await refused(/images\/S005\/001: .*end a sequence at .*11\.png; got .*12\.png/, (files) => {
    files['cohn-kanade-images/S005/001/S005_001_00000012.png'] = '';
  });
  await refused(/got S005\/001\/S005_001_00000010\.png/, (files) => {
    delete files['cohn-kanade-images/S005/001/S005_001_00000011.png'];
  });
  for (const frame of ['01', '09', '10'])
    await refused(new RegExp(`got no S005/001/S005_001_000000${frame}`), (files) => {
      delete files[`cohn-kanade-images/S005/001/S005_001_000000${frame}.png`];
    });
  await refused(/got no frames/, (files) => {
    for (const path of Object.keys(files)) if (path.startsWith('cohn-kanade-images/S999')) delete files[path];
  });
  await refused(/name its emotions as .*; got Emotion\/S005\/S005_001/, (files) => {
    files['Emotion/S005/S005_001_00000011_emotion.txt'] = '3';
  });
  await refused(/name its emotions as/, (files) => (files['Emotion/S006/001/S005_001_00000011_emotion.txt'] = '3'));
  await refused(/files of emotions in Emotion; got none/, (files) => {
    for (const path of Object.keys(files)) if (path.endsWith('_emotion.txt')) delete files[path];
  });
  await refused(/more than 3 frames/, (files) => {
    files['cohn-kanade-images/S010/001/S010_001_00000003.png'] = '';
    files['Emotion/S010/001/S010_001_00000003_emotion.txt'] = '1';
  });
  await t.rejects(
    open(t, (files) => (files[emotion] = ' '.repeat(2000))),
    { code: 'FILE_LARGE' },
  );
  await t.rejects(openExample({ source: ckPlus }, t.testdir({})), { code: 'FOLDER_MISSING' });
});

t.test('a neutral emotion is neutral; other line ends and notations of a number are taken', async (t) => {
  for (const text of ['0', '0.0000000e+00\r\n', '   0.000e-00']) {
    const source = await open(t, (files) => (files[emotion] = text));
    t.same([source.classCounts?.[0], source.classCounts?.[2]], [10, 0]);
  }
  t.equal(ckSequences[0]!.emotion, 3);
});

t.test('a frame that is gone or too large fails alone', async (t) => {
  const source = await open(t, undefined, { maxBytes: 10 });
  await t.rejects(async () => source.read(0, signal), { code: 'FILE_LARGE' });
  t.ok(readFileSync(source.file!(0)!).length > 10);
});

t.test('spec and options', async (t) => {
  const { options, spec } = ckPlus.definition;
  t.same(spec(options.parse({ path: 'a' })).fields, { bytes: 'bytes', label: { dtype: 'int32', shape: [] } });
  for (const given of [{}, { path: '' }, { path: 'a', maxBytes: 0 }, { path: 'a', contempt: true }])
    t.notOk(options.safeParse(given).success);
});

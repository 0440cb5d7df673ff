import t from 'tap';
import { windows } from '../../src/stages/windows.ts';
import { rawPicture } from '../../src/vision/picture.ts';
import * as kit from '../kit/pictures/pictures.ts';
import { anyPictures, picturesOf, refuses, stageOf } from '../kit/stages.ts';

const picture = rawPicture({ ...kit.gradient(64, 64), channels: 3 });
const small = { patch: 8, size: 5, views: 2 };

t.test('two windows on a grid of 8, by hand', async (t) => {
  const drawn = [...stageOf(windows, small, picturesOf(64)).run({ picture }).windows];
  t.equal(drawn.length, 4);
  t.ok(drawn.every((at) => at >= 0 && at <= 3));
  t.not(drawn[0], drawn[2], 'tops differ');
  t.not(drawn[1], drawn[3], 'lefts differ');
  t.same(
    [...stageOf(windows, { patch: 16, size: 4, views: 1 }, picturesOf(64)).run({ picture }).windows],
    [0, 0],
    'one window as large as the grid',
  );
});

t.test('perImage differs by picture, shared does not, and a group has its own', async (t) => {
  const draw = (mode: string, position: number) =>
    [
      ...stageOf(windows, { ...small, mode, group: 16 }, picturesOf(64)).run(
        { picture },
        { key: `${position}`, position },
      ).windows,
    ].join();
  const all = (mode: string, from: number) => new Set(Array.from({ length: 16 }, (_, i) => draw(mode, from + i)));
  t.ok(all('perImage', 0).size > 5);
  t.equal(all('shared', 0).size, 1);
  t.equal(all('shared', 16).size, 1);
  t.equal(all('official', 0).size, 2, 'M divides the group: every image sees one of the two windows');
});

t.test('few windows: they are drawn anew in each epoch, until all of the picture was seen', async (t) => {
  const one = stageOf(windows, { ...small, views: 1 }, picturesOf(64));
  const seen = new Set<number>();
  const places = new Set<string>();
  const covered: number[] = [];
  for (let epoch = 0; epoch < 200; epoch++) {
    const [top = 0, left = 0] = one.run({ picture }, { epoch }).windows;
    places.add(`${top}, ${left}`);
    for (let cell = 0; cell < 25; cell++) seen.add((top + Math.floor(cell / 5)) * 8 + left + (cell % 5));
    covered.push(seen.size);
  }
  t.equal(covered[0], 25, 'one window has 25 of 64 patches');
  t.equal(places.size, 16, 'each of the 4 × 4 places comes');
  t.equal(covered.at(-1), 64);
  t.same([...one.run({ picture }, { epoch: 3 }).windows], [...one.run({ picture }, { epoch: 3 }).windows]);
});

t.test('spec', async (t) => {
  const { output } = stageOf(windows, small, picturesOf(64));
  t.same(output.fields.windows, { dtype: 'int32', shape: [2, 2] });
  t.same(
    [output.grid, output.windows],
    [
      { patch: 8, side: 8 },
      { K: 5, M: 2 },
    ],
  );
  const open = stageOf(windows, small, { fields: {}, open: true });
  t.same(open.codes, []);
  t.equal(open.run({ picture }).windows.length, 4, 'sizes from the sample');
  t.throws(() => open.run({ picture: picture.resize({ width: 60, height: 60 }) }), { code: 'PATCH_SIDE' });
});

t.test('refusals that say what would do', async (t) => {
  const messages = (options: object, spec = picturesOf(96)) => stageOf(windows, options, spec).messages;
  t.match(messages({ patch: 15, size: 2, views: 1 }), [
    'PATCH_SIDE: patch must divide the side of the picture, 96 px; got 15. Try 12 or 16.',
  ]);
  t.match(messages({ patch: 16 }), [/^WINDOW_SIZE: .*6 patches; got 7/]);
  t.match(messages({ patch: 8, size: 12, views: 2 }), [/^WINDOW_VIEWS: views must be at most 1 /]);
  t.same(stageOf(windows, {}, anyPictures).codes, ['SIZE_VARIES']);
  t.same(stageOf(windows, {}, picturesOf(224, 112)).codes, ['PICTURE_SQUARE']);
  t.same(stageOf(windows, small, { ...picturesOf(64), grid: { patch: 4, side: 16 } }).codes, ['PATCH_TWO']);
  for (const options of [{ patch: 0 }, { size: 1.5 }, { views: 0 }, { mode: 'perimage' }, { group: 0 }, { K: 7 }])
    t.ok(refuses(windows, options));
});

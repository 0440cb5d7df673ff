/** Compiled, never run: the samples of a mixture have the fields of all its parts, and their types. */

import { pipeline } from '../../src/runs/loader/define.ts';
import { expw, idx, imageFolder, mixture } from '../../src/sources/index.ts';
import { decode } from '../../src/stages/decode.ts';
import { faceCrop } from '../../src/stages/face-crop.ts';
import { resize } from '../../src/stages/resize.ts';
import { each } from '../../src/streams/stage.ts';

const [one, other] = [imageFolder('./one'), imageFolder({ path: './other', labels: true })];
const files = mixture({
  parts: [
    { source: one, weight: 2 },
    { source: other, weight: 1, name: 'more' },
  ],
  fold: '1/3',
});
pipeline(
  files,
  decode(),
  each((sample) => ({ ...sample, wide: sample.picture.width })),
  resize(8),
);
pipeline(mixture({ parts: [{ source: idx('./a') }, { source: idx('./b') }], samples: 100 }), resize(8));
pipeline(mixture({ parts: [{ source: expw('./faces') }, { source: one }] }), decode(), faceCrop());

// @ts-expect-error bytes of one part, pictures of the other
pipeline(mixture({ parts: [{ source: one }, { source: idx('./b') }] }), decode());

pipeline(
  mixture({ parts: [{ source: expw('./faces') }, { source: one }] }),
  decode(),
  // @ts-expect-error one part has boxes, the other none
  each((sample) => ({ ...sample, at: sample.box })),
);

// @ts-expect-error a misspelt option
mixture({ parts: [{ source: one }, { source: other }], sample: 3 });

import { z } from 'zod';
import type { Source } from '../../src/sources/source.ts';
import { defineStage } from '../../src/stages/stage.ts';
import type { Sample } from '../../src/streams/sample.ts';

/** Stages as small as can be, for the tests of types. */
export type Folder = Sample & { readonly bytes: Uint8Array };

export const folder = (path: string): Source<Folder> => ({
  source: {
    name: 'folder',
    options: { path },
    definition: {
      name: 'folder',
      summary: 'Files of a folder.',
      options: z.unknown(),
      spec: () => ({ fields: { bytes: 'bytes' } }),
      open: async () => ({ count: 0, key: String, read: () => ({}) }),
    },
  },
});

export const decode = defineStage({
  name: 'decode',
  summary: 'Opens a picture.',
  options: z.strictObject({}),
  needs: ['bytes'],
  output: (spec) => ({ ...spec, fields: { ...spec.fields, picture: 'picture' } }),
  run: () => (sample: { readonly bytes: Uint8Array }) => ({ ...sample, picture: { width: 8, height: 8 } }),
});

export const windows = defineStage({
  name: 'windows',
  summary: 'Samples windows.',
  options: z.strictObject({ size: z.int() }),
  needs: ['picture'],
  output: (spec) => spec,
  run: () => (sample: { readonly picture: { width: number } }) => ({ ...sample, windows: new Int32Array(2) }),
});

export const mask = defineStage({
  name: 'mask',
  summary: 'Hides patches.',
  options: z.strictObject({ ratio: z.number().default(0.5) }),
  needs: ['windows'],
  output: (spec) => spec,
  run: () => (sample: { readonly windows: Int32Array }) => ({ ...sample, masks: new Uint8Array(1) as Uint8Array }),
});

import { z } from 'zod';
import { fail } from '../../src/errors.ts';
import { pathOption } from '../../src/files/path-option.ts';
import { measures } from '../../src/measures/index.ts';
import { models } from '../../src/models/index.ts';
import { createRegistry } from '../../src/pipeline/registry.ts';
import type { SinkDefinition } from '../../src/sinks/sink.ts';
import type { SourceDefinition } from '../../src/sources/source.ts';
import { defineStage } from '../../src/stages/stage.ts';

/** A small registry for the tests of pipelines: the names and fields of the real stages, none of their work. */
const side = z.int().min(1).max(4096);

export const decode = defineStage({
  name: 'decode',
  summary: 'Opens a picture.',
  options: z.strictObject({}),
  needs: ['bytes'],
  output: (spec) => ({ ...spec, fields: { ...spec.fields, picture: 'picture' } }),
  run: () => (sample: { readonly bytes: Uint8Array }) => ({ ...sample, picture: {} }),
});

export const resize = defineStage({
  name: 'resize',
  summary: 'Makes pictures of one size.',
  options: z.strictObject({
    size: side.describe('Side in pixels.'),
    kernel: z.enum(['nearest', 'cubic', 'lanczos3']).default('cubic').describe('How pixels are weighed.'),
  }),
  shorthand: 'size',
  needs: ['picture'],
  output: (spec, { size }) => ({ ...spec, size: [size, size] }),
  run: () => (sample: { readonly picture: object }) => ({ ...sample }),
});

export const windows = defineStage({
  name: 'windows',
  summary: 'Samples windows of patches.',
  options: z.strictObject({
    patch: z.int().min(1).describe('Patch side in pixels.'),
    size: z.int().min(1).describe('Patches along a side of a window.'),
    views: z.int().min(1).default(4).describe('Windows per picture.'),
  }),
  needs: ['picture'],
  random: true,
  *check({ patch, size }, spec) {
    if (spec.open || !spec.size) return;
    const [height] = spec.size;
    const expected = `a divisor of the picture's side, ${height} px`;
    if (height % patch !== 0)
      yield {
        option: 'patch',
        error: fail('OPTION_VALUE', { option: 'patch', expected, found: patch, advice: 'Try 8.' }),
      };
    else if (size > height / patch)
      yield {
        option: 'size',
        error: fail('OPTION_VALUE', { option: 'size', expected: `at most ${height / patch}`, found: size, advice: '' }),
      };
  },
  output(spec, { patch, size, views }) {
    const side = Math.floor((spec.size?.[0] ?? 0) / patch);
    const fields = { ...spec.fields, windows: { dtype: 'int32' as const, shape: [views, 2] } };
    return { ...spec, fields, grid: { patch, side }, windows: { K: size, M: views } };
  },
  run: () => (sample: { readonly picture: object }) => ({ ...sample, windows: new Int32Array(2) }),
});

export const mask = defineStage({
  name: 'mask',
  summary: 'Hides a share of the patches of each window.',
  options: z.strictObject({
    ratio: z.number().min(0).max(1).default(0.8).describe('Share of patches that are hidden.'),
  }),
  shorthand: 'ratio',
  needs: ['windows'],
  random: true,
  output: (spec) => ({
    ...spec,
    fields: { ...spec.fields, masks: { dtype: 'uint8', shape: [spec.windows?.M ?? 1, (spec.windows?.K ?? 1) ** 2] } },
  }),
  run: () => (sample: { readonly windows: Int32Array }) => ({ ...sample, masks: new Uint8Array(1) }),
});

const folderOptions = z.strictObject({
  path: pathOption().describe('The folder.'),
  repeat: z.int().min(1).default(1).describe('Passes that count as one epoch.'),
});

export const imageFolder = {
  name: 'image-folder',
  summary: 'Pictures of a folder.',
  options: folderOptions,
  shorthand: 'path',
  spec: () => ({ fields: { bytes: 'bytes' as const } }),
  open: async () => ({ count: 0, key: String, read: () => ({}) }),
} satisfies SourceDefinition;

const imagesOptions = z.strictObject({ sheet: z.boolean().default(true).describe('Draw a contact sheet.') });

export const images = {
  name: 'images',
  summary: 'A folder of pictures.',
  options: imagesOptions,
  open: () => Promise.reject(new Error('not opened in tests')),
} satisfies SinkDefinition;

export const registry = createRegistry({
  stages: [decode, resize, windows, mask],
  sources: [imageFolder],
  sinks: [images],
  models,
  measures,
});

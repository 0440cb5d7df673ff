import { z } from 'zod';
import { defineStage } from '../../src/stages/stage.ts';
import type { Origin, Spec } from '../../src/vision/spec.ts';

export const origin: Origin = { from: './runs/a', pool: 'mean', fingerprint: 'f00d' };

/** The vector of a position: numbers that differ from each other's, none a short one. */
export function vectorOf(position: number, width: number): Float32Array {
  return Float32Array.from({ length: width }, (_, i) => Math.sin(position * 1.7 + i * 0.3 + 1));
}

/** Gives each sample a vector, as `embed` declares it. */
export const vectors = defineStage({
  name: 'vectors',
  summary: 'Adds vectors.',
  options: z.strictObject({ width: z.int().default(3), fingerprint: z.string().default(origin.fingerprint) }),
  needs: [],
  output: (spec: Spec, { width, fingerprint }): Spec => ({
    ...spec,
    fields: { ...spec.fields, embedding: { dtype: 'float32', shape: [width], origin: { ...origin, fingerprint } } },
  }),
  run:
    ({ width }) =>
    (sample: { readonly position: number }) => ({ ...sample, embedding: vectorOf(sample.position, width) }),
});

/** The same as of a model whose vectors have a shape that is not known before. */
export const openVectorsStage = defineStage({
  name: 'open-vectors',
  summary: 'Adds vectors.',
  options: z.strictObject({ width: z.int().default(3) }),
  needs: [],
  output: (spec: Spec): Spec => ({ ...spec, open: true, origins: { embedding: origin } }),
  run:
    ({ width }) =>
    (sample: { readonly position: number }) => ({ ...sample, embedding: vectorOf(sample.position, width) }),
});

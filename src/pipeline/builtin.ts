import { inferenceStages } from '../inference/index.ts';
import { measures } from '../measures/index.ts';
import { models } from '../models/index.ts';
import { sinks } from '../sinks/index.ts';
import { sources } from '../sources/index.ts';
import { stages } from '../stages/index.ts';
import { trackers } from '../trackers/index.ts';
import { createRegistry } from './registry.ts';

/** What patchstream itself brings: every stage, source, sink, model, measure and tracker of this release. */
export const builtin = createRegistry({
  stages: [...stages, ...inferenceStages],
  sources,
  sinks,
  models,
  measures,
  trackers,
});

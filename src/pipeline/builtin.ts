import { sinks } from '../datasets/sink-list.ts';
import { sources } from '../datasets/source-list.ts';
import { stages } from '../stages/index.ts';
import { models } from './models.ts';
import { createRegistry } from './registry.ts';

/** What patchstream itself brings: every stage, source, sink and model of this release. */
export const builtin = createRegistry({ stages, sources, sinks, models });

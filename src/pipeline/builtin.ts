import { models } from '../models/index.ts';
import { sinks } from '../sinks/index.ts';
import { sources } from '../sources/index.ts';
import { stages } from '../stages/index.ts';
import { createRegistry } from './registry.ts';

/** What patchstream itself brings: every stage, source, sink and model of this release. */
export const builtin = createRegistry({ stages, sources, sinks, models });

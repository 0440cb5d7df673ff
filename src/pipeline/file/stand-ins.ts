import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { ModelDefinition } from '../../models/define.ts';
import type { Sink } from '../../sinks/sink.ts';
import type { Source } from '../../sources/source.ts';
import type { Stage } from '../../streams/stage.ts';
import type { TrackerValue } from '../../trackers/define.ts';
import type { Spec } from '../../vision/spec.ts';
import type { AnyStage } from '../registry.ts';

/** Stands in for a name that is not known: it accepts all options and leaves the spec open, so nothing is reported twice. */
const standIn = (kind: string) => ({
  name: '?',
  summary: `A ${kind} that is not known.`,
  options: z.unknown(),
  fields: [],
  spec: (): Spec => ({ fields: {}, open: true }),
  open: () => Promise.reject(fail('NAME_UNKNOWN', { kind, name: '?', advice: '' })),
});

export const unknownSource: Source = { source: { name: '?', options: {}, definition: standIn('source') } };
export const unknownSink: Sink = { sink: { name: '?', options: {}, definition: standIn('sink') } };
export const unknownModel: ModelDefinition = { ...standIn('model'), build: standIn('model').open };
export const unknownTracker: TrackerValue = {
  tracker: { name: '?', options: {}, definition: { ...standIn('tracker'), kind: 'tracker' } },
};

export function unknownStage(name: string): Stage {
  const definition: AnyStage = {
    name,
    summary: 'A stage that is not known.',
    options: z.unknown(),
    needs: [],
    output: (spec) => ({ ...spec, open: true }),
    run: () => () => undefined,
  };
  return { stage: { kind: 'defined', name, policy: {}, options: {}, definition } };
}

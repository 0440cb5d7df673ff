import { messageOf } from '../../errors.ts';
import type { SampleFailure, Started } from '../../events/events.ts';
import { machine } from '../../machine.ts';
import type { Resolved } from '../../pipeline/resolve/resolve.ts';
import type { Failure } from '../../streams/failures.ts';
import type { RunFolder } from '../folder/folder.ts';

/** `started`, of a run that has its folder. */
export function startedOf(
  { definition, train }: Pick<Resolved, 'definition' | 'train'>,
  { path, digest, pipeline }: Pick<RunFolder, 'path' | 'digest' | 'pipeline'>,
  about: Pick<Started, 'written' | 'training'>,
): Started {
  const { cores, memory, whole, bound } = machine();
  return {
    type: 'started',
    kind: train === undefined ? 'job' : 'training',
    name: definition.name,
    digest,
    folder: path,
    pipeline,
    machine: { cores, memory, ...(whole && { whole, ...(bound && { bound }) }) },
    ...about,
  };
}

/** `failure`, of a sample that has failed. */
export function failureOf({ stage, key, position, epoch, error }: Failure): SampleFailure {
  return { type: 'failure', stage, key, position, epoch, error: messageOf(error) };
}

import { resolve } from 'node:path';
import type { TrainDefinition } from '../train/definition.ts';
import type { Resolved } from './resolve.ts';
import { decisiveJson } from './resolved-json.ts';

/** What the trainer's thread is told of a pipeline. */
export function trainDefinition(
  resolved: Resolved,
  run: Pick<TrainDefinition, 'length' | 'count' | 'folder' | 'fresh'>,
): TrainDefinition {
  const { model, batch, optimizer, schedule, onNotANumber, checkpoint, backend, device, init, dropLast } =
    resolved.train!;
  const { seed, source, stages, train } = decisiveJson(resolved);
  return {
    ...run,
    model: { name: model.name, options: model.options, spec: resolved.spec },
    batch,
    seed: resolved.definition.seed,
    optimizer,
    schedule,
    onNotANumber,
    checkpoint,
    backend,
    device,
    evaluate: resolved.evaluate?.every,
    init: init === undefined ? undefined : resolve(resolved.definition.base, init),
    data: { source, stages, dropLast },
    decides: {
      seed,
      train,
      stages: Object.fromEntries(
        stages.map(({ id, ...stage }) => [id, (stage as Readonly<Record<string, unknown>>)[id] ?? stage]),
      ),
      source,
      'samples per epoch': run.count,
      order: stages.map(({ id }) => id),
      spec: resolved.spec,
    },
  } as TrainDefinition;
}

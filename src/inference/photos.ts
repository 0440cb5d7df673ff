import { fail, nearest } from '../errors.ts';
import { decode } from '../stages/index.ts';
import type { StageDefinition } from '../stages/stage.ts';
import type { Stage } from '../streams/stage.ts';
import type { Trained } from './trained.ts';

/**
 * The stages that bring files of pictures to where `embed` and `predict` take them: those of the training, as evaluation has them, without the last, which only
 * describe the picture anew: the model's cut. A training on raw pixels has no `decode`; files need one.
 *
 * @param known stages by their names. @throws TRAINED_STAGES where one of them is not known here.
 */
export function photoStages({ stages, where }: Trained, known: ReadonlyMap<string, StageDefinition>): Stage[] {
  if (stages === null) throw fail('TRAINED_STAGES', { found: 'a function of a program' }, { where });
  const all = stages.map(({ name, options }) => {
    const definition = known.get(name);
    if (definition !== undefined) return { name, definition, options };
    const near = nearest(name, [...known.keys()]);
    throw fail('TRAINED_STAGES', { found: near === undefined ? name : `${name} (not ${near})` }, { where });
  });
  const last = all.findLastIndex(({ definition }) => definition.uniform !== true);
  const used: Stage[] = all.slice(0, last + 1).map(({ name, definition, options }) => ({
    stage: { kind: 'defined', name, policy: {}, options, definition },
  }));
  return all.some(({ name }) => name === 'decode') ? used : [decode(), ...used];
}

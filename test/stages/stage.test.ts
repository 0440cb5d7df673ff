import t from 'tap';
import { z } from 'zod';
import { pipeline } from '../../src/runs/loader/define.ts';
import { defineStage } from '../../src/stages/stage.ts';
import type { Sample } from '../../src/streams/sample.ts';
import { numbered } from '../kit/runs/jobs.ts';

/** The error of a run with a stage of a user's own that has these functions. */
async function errorOf(own: Readonly<Record<string, unknown>>): Promise<unknown> {
  const stage = defineStage({
    ...{ name: 'own', summary: 'Anything.', options: z.strictObject({}), needs: [] },
    output: (spec) => spec,
    run: () => (sample: Sample) => sample,
    ...own,
  });
  try {
    for await (const _ of pipeline(numbered({ count: 3 }), stage()).samples());
  } catch (error) {
    return error;
  }
  return undefined;
}

t.test('what the functions of a stage throw or give in the place of its work says whose they are', async (t) => {
  const text = (hook: string, found: string) =>
    `STAGE_BROKEN: stage own must get through its \`${hook}\` without an error; got: ${found}. Look at \`${hook}\` of its definition.`;
  const broken = () => {
    throw new Error('no room');
  };
  t.equal(await errorOf({}), undefined);
  for (const hook of ['atATime', 'run']) t.match(await errorOf({ [hook]: broken }), { message: text(hook, 'no room') });
  for (const [given, found] of [
    [undefined, 'undefined'],
    [{}, 'an object'],
  ] as const)
    t.match(await errorOf({ run: () => given }), { message: text('run', `${found} in the place of a function`) });
});

t.test('functions of a definition may call one another', async (t) => {
  const own = {
    places: 2,
    atATime() {
      return this.places;
    },
  };
  t.equal(await errorOf(own), undefined);
});

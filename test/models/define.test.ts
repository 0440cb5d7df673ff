import t from 'tap';
import { z } from 'zod';
import { defineModel, type ModelDefinition } from '../../src/models/define.ts';
import { networkOf } from '../../src/models/index.ts';
import type { Model } from '../../src/models/model.ts';
import { linearModel } from '../kit/training/train.ts';

/** A model of a user's own that builds what it likes. */
const own = (build: () => unknown) =>
  defineModel({
    name: 'own',
    summary: 'Anything.',
    options: z.strictObject({}),
    fields: ['picture'],
    build: () => build() as Model,
  }).definition as ModelDefinition;
const networkFrom = (build: () => unknown) => networkOf(own(build), {}, { fields: {} });

t.test('what `build` gives is looked at before it trains, and what it throws says whose it is', async (t) => {
  const whole = linearModel();
  t.equal(await networkFrom(() => whole), whole);
  t.equal(await networkFrom(async () => whole), whole);
  const faults: readonly (readonly [given: unknown, found: RegExp])[] = [
    [undefined, /own gave undefined\. Look at its `build`/],
    [null, /own gave null/],
    [class Network {}, /own gave the class Network/],
    [{ ...whole, parameters: 3, loss: undefined }, /own gave an object without parameters, loss\./],
  ];
  for (const [given, message] of faults)
    await t.rejects(
      networkFrom(() => given),
      { code: 'MODEL_BUILD', message },
    );
  const broken = () => {
    throw new Error('no room');
  };
  const message =
    'STAGE_BROKEN: model own must get through its `build` without an error; got: no room. Look at `build` of its definition.';
  for (const build of [broken, async () => broken()]) await t.rejects(networkFrom(build), { message });
});

/**
 * What does the orchestration of one sample cost? A chain as pipelines have it (source, read, decode, crop, windows, mask, a user's
 * rxjs operator, batcher) over samples whose work is nothing, against the same functions called one after the other in a loop. The
 * difference is what permits, order, time-outs, failures and meters cost. Row `per sample`; `theirs` is the budget of 5 µs.
 * Median of seven pairs after a warm-up.
 */
import { filter, lastValueFrom, map } from 'rxjs';
import { batcher } from '../src/streams/batcher.ts';
import { Budget } from '../src/streams/failures.ts';
import { gate } from '../src/streams/gate.ts';
import { StageMeter } from '../src/streams/meter.ts';
import { inOrder } from '../src/streams/ordered/in-order.ts';
import { order } from '../src/streams/ordered/order.ts';
import { Permits } from '../src/streams/permits.ts';
import { Ring } from '../src/streams/ring.ts';
import { runOperator } from '../src/streams/run-operator.ts';
import { runStage } from '../src/streams/run-stage.ts';
import type { Sample } from '../src/streams/sample.ts';

const count = 200_000;
const rounds = 7;
const budgetMicroseconds = 5;

const add = (name: string) => (sample: Sample) => Object.assign({}, sample, { [name]: 1 }) as Sample;
const stages = ['decode', 'random-resized-crop', 'windows', 'mask'].map((name) => ({ name, work: add(name) }));
const read = add('bytes');

export async function run() {
  await orchestrated();
  await bare();
  const costs: number[] = [];
  for (let round = 0; round < rounds; round++) costs.push((await orchestrated()) - (await bare()));
  const ours = costs.sort((a, b) => a - b)[rounds >> 1]!;
  const row = { what: 'per sample', ours, theirs: budgetMicroseconds, unit: 'µs', ratio: budgetMicroseconds / ours };
  return { rows: [row] };
}

/** Microseconds per sample through the whole machinery. */
async function orchestrated(): Promise<number> {
  const permits = new Permits(64);
  const ring = new Ring(96, 64);
  const place = order({ count }, 1, true);
  const around = (id: string) => ({
    id,
    concurrency: 4,
    timeoutSeconds: 60,
    budget: new Budget(id, 0, () => {}),
    meter: new StageMeter(id),
  });
  const ticket = (position: number): Sample => {
    const { index, epoch } = place(position);
    return { key: `k${index}`, position, epoch };
  };
  const start = performance.now();
  let samples = gate(permits, ticket, { end: count }).pipe(
    runStage((sample) => Promise.resolve(read(sample)), around('source')),
  );
  for (const { name, work } of stages) samples = samples.pipe(runStage(work, around(name)));
  await lastValueFrom(
    samples.pipe(
      runOperator(
        filter(() => true),
        { ...around('operator'), holds: 0 },
      ),
      inOrder(permits),
      batcher({ ring, size: 32, write: () => Promise.resolve(), ...around('render') }),
      map(({ cells }) => ring.free(cells)),
    ),
  );
  return ((performance.now() - start) * 1000) / count;
}

/** Microseconds per sample of the same functions in a plain loop, promises included. */
async function bare(): Promise<number> {
  const place = order({ count }, 1, true);
  const start = performance.now();
  for (let position = 0; position < count; position++) {
    const { index, epoch } = place(position);
    let sample = await Promise.resolve(read({ key: `k${index}`, position, epoch }));
    for (const { work } of stages) sample = work(sample);
    await Promise.resolve();
  }
  return ((performance.now() - start) * 1000) / count;
}

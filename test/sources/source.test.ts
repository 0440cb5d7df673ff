import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import type { Definition } from '../../src/pipeline/definition.ts';
import { definePipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { toJsonl } from '../../src/sinks/to-jsonl.ts';
import { mixture } from '../../src/sources/mixture/mixture.ts';
import { defineSource } from '../../src/sources/source.ts';
import { decode, resize } from '../../src/stages/index.ts';
import { gradient, jpeg } from '../kit/pictures/pictures.ts';

/** A source of a user's own that gives what it likes. */
function own(open: () => unknown) {
  const made = defineSource({
    name: 'own',
    summary: 'Anything.',
    options: z.strictObject({}),
    spec: () => ({ fields: { bytes: 'bytes' } }),
    open: async () => open() as never,
  });
  return made({});
}

const whole = (bytes: Uint8Array) => ({ count: 3, key: (i: number) => `${i}`, read: async () => ({ bytes }) });

function job(source: unknown, output: string): Definition {
  return definePipeline({ name: 'job', source, stages: [decode(), resize(8)], sink: toJsonl(), output } as never);
}

t.test(
  'what a source gives when it is opened is looked at: nothing stands still, and nothing is called our bug',
  async (t) => {
    const root = t.testdir({});
    const bytes = await jpeg(gradient(8, 8));
    let closed = 0;
    const faults: readonly (readonly [given: unknown, found: RegExp])[] = [
      [undefined, /own gave nothing/],
      ...[Number.NaN, -3, 2.5, '3', undefined].map(
        (count) =>
          [
            { ...whole(bytes), count, close: async () => closed++ },
            /own gave count (NaN|-3|2\.5|3|undefined)\./,
          ] as const,
      ),
      [{ ...whole(bytes), key: undefined }, /no function key/],
      [{ ...whole(bytes), read: 'read' }, /no function read/],
    ];
    for (const [i, [given, found]] of faults.entries()) {
      const source = own(() => given);
      const expected = { code: 'SOURCE_OPEN', message: found };
      await t.rejects(run(job(source, join(root, `${i}`))), expected);
      const parts = [{ source, name: 'a' }, { source: own(() => whole(bytes)) }];
      await t.rejects(run(job(mixture({ parts }), join(root, `${i}-mixed`))), expected, 'among several');
    }
    t.equal(closed, 10, 'what was opened is closed');
    t.match(
      (
        await run(
          job(
            own(() => whole(bytes)),
            join(root, 'whole'),
          ),
        )
      ).sum,
      { delivered: 3 },
    );
  },
);

t.test('a sample that is none fails by itself', async (t) => {
  const root = t.testdir({});
  const bytes = await jpeg(gradient(8, 8));
  const source = own(() => ({ ...whole(bytes), read: async (i: number) => (i === 1 ? null : { bytes }) }));
  const { sum, failures } = await run(job(source, join(root, 'out')));
  t.match({ sum, failures }, { sum: { delivered: 2, failed: 1 }, failures: 1 });
  t.match(readFileSync(join(root, 'out/quarantine.jsonl'), 'utf8'), /SOURCE_READ.*got null/);
});

t.test('what is thrown without a reason ends a run all the same, and what is no pipeline is said', async (t) => {
  const root = t.testdir({});
  for (const thrown of [null, undefined]) {
    const source = own(() => {
      throw thrown;
    });
    await t.rejects(run(job(source, join(root, String(thrown)))), /thrown without a reason/);
  }
  for (const given of [undefined, null, 'pipeline.yaml'])
    await t.rejects(run(given as never), { code: 'PIPELINE_VALUE', message: new RegExp(`got ${given}`) });
});

t.test('a source opens, reads and closes at once or with promises', async (t) => {
  const root = t.testdir({});
  const bytes = await jpeg(gradient(8, 8));
  let closed = 0;
  const made = defineSource({
    name: 'own',
    summary: 'Nothing waits.',
    options: z.strictObject({}),
    spec: () => ({ fields: { bytes: 'bytes' } }),
    open: () => ({ ...whole(bytes), read: () => ({ bytes }), close: () => void closed++ }),
  });
  for (const source of [
    made({}),
    made({ limit: 2 } as never),
    mixture({
      parts: [
        { source: made({}), name: 'a' },
        { source: made({}), name: 'b' },
      ],
    }),
  ])
    t.match((await run(job(source, join(root, `${closed}`)))).failures, 0);
  t.equal(closed, 4);
});

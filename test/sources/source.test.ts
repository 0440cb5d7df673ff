import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import type { RunEvent } from '../../src/events/events.ts';
import type { Definition } from '../../src/pipeline/definition.ts';
import { definePipeline, pipeline } from '../../src/runs/loader/define.ts';
import { run } from '../../src/runs/run.ts';
import { toJsonl } from '../../src/sinks/to-jsonl.ts';
import { mixture } from '../../src/sources/mixture/mixture.ts';
import { defineSource, type Source } from '../../src/sources/source.ts';
import { decode, resize } from '../../src/stages/index.ts';
import type { Sample } from '../../src/streams/sample.ts';
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
      [{ ...whole(bytes), count: () => 'its text is not shown' }, /own gave count the function count\. L/],
      [
        { ...whole(bytes), key: undefined, close: () => Promise.reject(new Error('broken')) },
        /own gave no function key, of which `close` threw: broken\. Look/,
      ],
      [function openLater() {} as unknown, /own gave the function openLater\. Look/],
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

t.test(
  'what its functions throw says whose they are; what has ended the run is told, whatever `close` throws',
  async (t) => {
    const root = t.testdir({});
    const bytes = await jpeg(gradient(8, 8));
    const broken = (found: string) => () => {
      throw new Error(found);
    };
    const close = broken('not open');
    const text = (hook: string, found: string) =>
      `STAGE_BROKEN: source own must get through its \`${hook}\` without an error; got: ${found}. Look at \`${hook}\` of its definition.`;
    const ways = { open: own(broken('no disk')), close: own(() => ({ ...whole(bytes), close })) };
    await t.rejects(run(job(ways.open, join(root, 'a'))), { message: text('open', 'no disk'), cause: Error });
    await t.rejects(run(job(ways.close, join(root, 'b'))), { message: text('close', 'not open') });
    const both = own(() => ({ ...whole(bytes), read: broken('no file'), close }));
    const nothing = { code: 'NOTHING_LEFT', cause: { message: text('close', 'not open') } };
    await t.rejects(run(job(both, join(root, 'c'))), nothing);
    await t.rejects(async () => {
      for await (const batch of pipeline(
        both as unknown as Source<Sample & { bytes: Uint8Array }>,
        decode(),
        resize(8),
      ).batches(2))
        t.fail(batch);
    }, nothing);
    const key = own(() => ({ ...whole(bytes), key: broken('no name') }));
    await t.rejects(run(job(key, join(root, 'd'))), {
      message: /^STAGE_BROKEN: the source must get through its `key`/,
    });
    let closed = 0;
    const parts = [
      { name: 'a', source: own(() => ({ ...whole(bytes), close })) },
      { name: 'b', source: own(() => ({ ...whole(bytes), close: () => void closed++ })) },
    ];
    await t.rejects(run(job(mixture({ parts }), join(root, 'e'))), { message: /source mixture .* `close` .*not open/ });
    t.equal(closed, 1, 'the others are closed all the same');
  },
);

t.test('who ends a run by its signal while a source is opened has cancelled it', async (t) => {
  const stop = new AbortController();
  const source = own(() => {
    stop.abort(new Error('enough'));
    throw stop.signal.reason;
  });
  const events: RunEvent[] = [];
  const running = run(job(source, join(t.testdir({}), 'out')), { signal: stop.signal, onEvent: (e) => events.push(e) });
  await t.rejects(running, { code: 'RUN_CANCELLED' });
  t.match(events.at(-1), { type: 'finished', how: 'cancelled', error: { code: 'RUN_CANCELLED' } });
});

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

t.test(
  'a source whose spec says nothing is one of samples that nothing is known of; what is no spec is a problem',
  async (t) => {
    const root = t.testdir({});
    const bytes = await jpeg(gradient(8, 8));
    const giving = (spec: unknown) =>
      defineSource({
        name: 'own',
        summary: 'Anything.',
        options: z.strictObject({}),
        spec: () => spec as never,
        open: () => whole(bytes),
      })({});
    for (const spec of [undefined, null]) {
      const { lines } = await run(job(giving(spec), join(root, `${spec}`)));
      t.match(lines.join(' '), /^3 lines in/);
    }
    const wrong: readonly (readonly [unknown, string])[] = [
      [{}, 'an object'],
      [7, '7'],
      [Promise.reject(new Error('late')), 'a promise'],
    ];
    for (const [spec, found] of wrong)
      await t.rejects(run(job(giving(spec), join(root, 'none'))), {
        message: new RegExp(`source own must get through its \`spec\` .* got: ${found} in the place of a spec`),
      });
  },
);

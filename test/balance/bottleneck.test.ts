import t from 'tap';
import { type Cause, explainBalance } from '../../src/balance/bottleneck.ts';
import { type Coupled, coupled } from '../kit/training/coupled.ts';
import { plain, planted } from '../kit/training/planted.ts';

const explain = async (plan: Coupled) => {
  const { rows, stats, rate } = await coupled(plan);
  const { batch, cores, permits, trainer } = plan;
  return { found: explainBalance({ rows, stats, batch, cores, permits, onCores: trainer.onCores === true }), rate };
};

for (const [name, { plan, cause, stage, knob, better }] of Object.entries(planted)) {
  t.test(`planted: ${name}`, async (t) => {
    const explained = await explain(plan);
    const found = explained.found!;
    t.match(found, { cause, ...(stage && { stage }), knob } as { cause: Cause }, found.sentence);
    t.match(
      found.sentence,
      /is the bottleneck \(.*\): the trainer works \d+ % of the time, at [\d.]+ images\/s\. .*would/,
    );
    t.notMatch(`${found.sentence} ${found.evidence}`, /NaN|undefined|Infinity/);
    // The gain that is foretold is about what turning the knob gives.
    const real = (await coupled(better)).rate / explained.rate;
    t.ok(found.gain <= 1.6 * real && found.gain >= real / 1.6, `foretold ${found.gain}, in truth ${real}`);
  });
}

t.test('where the trainer has the thread of the loader, that is the bottleneck, not what waits for it', async (t) => {
  const { rows, stats } = await coupled({ ...plain, sourceMs: 60 });
  const facts = { rows, stats, batch: plain.batch, cores: 8, permits: 32, onCores: true };
  const slow = explainBalance(facts)!;
  t.equal(slow.cause, 'source');
  t.match(slow.evidence, /^A read takes [\d.]+ ms, 99 of 100 at most [\d.]+ ms; [\d.]+ are in flight/);
  const { cause, knob, gain, sentence, utilisation } = explainBalance({ ...facts, onLoaderThread: true })!;
  t.match({ cause, knob }, { cause: 'thread', knob: 'train.thread' });
  t.match(sentence, /^The loader is the bottleneck \(it takes turns .* `thread: worker` would help/);
  t.ok(Math.abs(gain - 1 / Math.max(utilisation, 1 - utilisation)) < 1e-9);
  const calm = await coupled(planted['the trainer is slow']!.plan);
  t.not(explainBalance({ ...facts, ...calm, onLoaderThread: true })!.cause, 'thread', 'unless the trainer never waits');
});

t.test('a run that chooses its threads by itself is not told to take more', async (t) => {
  const { plan } = planted['rendering has too few threads']!;
  const { rows, stats } = await coupled(plan);
  const facts = { rows, stats, batch: plan.batch, cores: plan.cores, permits: plan.permits, onCores: false };
  t.match(explainBalance(facts), { cause: 'render', knob: 'threads', sentence: /More `threads` would help/ });
  const tuned = explainBalance({ ...facts, tunesThreads: true })!;
  t.match(tuned, { cause: 'render', knob: 'source', sentence: /Smaller pictures .*tries more `threads` by itself/ });
});

t.test('nothing is said of a run that has hardly begun', async (t) => {
  t.equal((await explain({ ...plain, steps: 2 })).found, undefined);
  t.equal(explainBalance({ rows: [], stats: [], batch: 4, cores: 2, permits: 8, onCores: true }), undefined);
});

t.test('a run without statistics of its stages is still explained', async (t) => {
  const { rows } = await coupled({ ...plain, sourceMs: 60 });
  const found = explainBalance({ rows, stats: [], batch: plain.batch, cores: 8, permits: 32, onCores: false })!;
  t.match(found.sentence, /^The loader is the bottleneck/);
  t.notMatch(`${found.sentence} ${found.evidence}`, /NaN|undefined|Infinity/);
});

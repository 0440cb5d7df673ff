import t from 'tap';
import { explainJob } from '../../src/balance/explain-job.ts';
import { judgeReading, type Reading, readingText, readingWords, readRemedyText } from '../../src/balance/reading.ts';
import type { StageStats } from '../../src/streams/meter.ts';
import type { ReadPace, ReadState } from '../../src/streams/read-pace.ts';

const pace = (state: ReadState, more: Partial<ReadPace> = {}): ReadPace => ({
  ...{ state, medianMs: 41.23, p99Ms: 60, inFlight: 55.3, places: 64, bytesPerSecond: 2.5e7, slowShare: 0.93 },
  ...(state !== 'fed' && state !== 'atOnce' && { slowState: state }),
  ...more,
});
const states: readonly ReadState[] = ['atOnce', 'fed', 'growing', 'saturated', 'full', 'permits', 'ordered'];
const files = { hasFiles: true };

t.test('how reading goes is said in numbers, and what would help', async (t) => {
  for (const state of states) {
    const reading = judgeReading(pace(state), files);
    t.matchOnly(
      reading.helps,
      /^(saturated|full|permits)$/.test(state) ? 'shards' : state === 'ordered' ? 'disk' : undefined,
    );
    t.notMatch(readingText(reading), /NaN|undefined/);
    if (state === 'atOnce') t.match(readingText(reading), /memory of the system/);
    else
      t.match(
        readingText(reading),
        /^Half of the reads take at most 41 ms, 99 of 100 at most 60 ms; 55\.3 are in flight .* of 64 that may be, 25 MB\/s\. [A-Z]/,
      );
    const words = readingWords(reading);
    if (state === 'atOnce' || state === 'fed') t.equal(words, undefined);
    else t.match(words, /^reading is the bottleneck: 41 ms a read, 55 of 64 in flight/);
  }
  const saturated = judgeReading(pace('saturated'), files);
  t.match(readingText(saturated), /More reads would not help: /);
  t.match(readRemedyText(saturated), /^Shards would help/);
  t.match(readingWords(saturated), /, shards would help$/);
});

t.test('what the pipeline itself forbids is what would help', async (t) => {
  t.equal(judgeReading(pace('full'), { ...files, reads: 64 }).helps, 'reads');
  t.match(readingText(judgeReading(pace('full'), { ...files, reads: 64 })), /`reads` allows no more than 64/);
  t.equal(judgeReading(pace('ordered'), { ...files, permits: 32 }).helps, 'permits');
  t.equal(judgeReading(pace('permits'), { ...files, permits: 32 }).helps, 'permits');
  t.equal(judgeReading(pace('saturated'), { hasFiles: false }).helps, 'disk', 'shards are what it reads already');
  const over = judgeReading(pace('fed', { slowState: 'saturated' }), files);
  t.equal(over.helps, 'shards', 'also when the last round was quick');
});

const stats = (stage: string, busy: number, more: Partial<StageStats> = {}): StageStats => ({
  ...{ stage, in: 100, out: 100, failures: 0, drops: {}, waiting: 0, meanWaiting: 2.5, running: 0, concurrency: 2 },
  ...{ busyMs: busy, elapsedMs: 1000, mean: 5, p10: 1, p90: 9, p99: 9 },
  ...more,
});

t.test('a job is bound by the disk, by a stage, or by its sink', async (t) => {
  const all = [stats('0:source', 2000), stats('1:decode', 100), stats('2:images', 1900)];
  const reading: Reading = judgeReading(pace('saturated'), files);
  const disk = explainJob(all, reading)!;
  t.equal(disk.stage, 'source');
  t.match(
    disk.sentence,
    /^Reading from the disk or network sets the pace: for 93 % of the time samples have waited for reads\. Shards would help/,
  );
  t.match(disk.evidence, /More reads would not help/);
  const fed = judgeReading(pace('fed', { slowShare: 0.1 }), files);
  const sink = explainJob(all, fed)!;
  t.match(sink, { stage: 'images', sentence: 'The sink images, in which pictures are rendered too, sets the pace.' });
  t.match(sink.evidence, /95 % of its 2 places taken.*Reads bring samples as fast as they are used\.$/);
  t.match(explainJob([...all.slice(0, 1), stats('1:each', 2000), stats('2:images', 10)], fed), { stage: 'each' });
  t.match(explainJob(all, undefined), { stage: 'source' }, 'by the stats alone, as of an earlier version');
  t.equal(explainJob([], undefined), undefined);
  t.equal(explainJob([stats('0:source', 0, { in: 0 })], undefined), undefined);
  t.match(
    explainJob(all, judgeReading(pace('fed', { slowState: 'full', slowShare: 0.8 }), files)),
    { stage: 'source', evidence: /All places are taken/ },
    'the end of a job does not change what its time went into',
  );
});

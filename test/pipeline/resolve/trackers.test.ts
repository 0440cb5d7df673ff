import { join } from 'node:path';
import t from 'tap';
import {
  createRegistry,
  definePipeline,
  defineTracker,
  imageFolder,
  prometheus,
  tensorboard,
  toJsonl,
} from '../../../src/index.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { checkFile } from '../../../src/pipeline/check.ts';
import { describe } from '../../../src/pipeline/describe.ts';
import { drawNamed, drawText } from '../../../src/pipeline/draw.ts';
import { loadPipeline } from '../../../src/pipeline/file/load.ts';
import { resolvePipeline } from '../../../src/pipeline/resolve/resolve.ts';
import { resolvedJson, trueJson } from '../../../src/pipeline/resolve/resolved-json.ts';

const job = (track: string) => `
source: { image-folder: { path: photos } }
stages: [decode]
sink: jsonl
track: ${track}
`;

t.test('trackers are named as stages are, with their options', async (t) => {
  const root = t.testdir({ 'job.yaml': job('[tensorboard, { prometheus: 0 }, { prometheus: { port: 9000 } }]') });
  const { resolved, problems } = await checkFile(join(root, 'job.yaml'), { registry: builtin });
  t.same(problems, []);
  const shown = [{ tensorboard: { everySteps: 1 } }, { prometheus: { port: 0 } }, { prometheus: { port: 9000 } }];
  t.same(resolvedJson(resolved!).track, shown);
  t.notOk('track' in trueJson(resolved!), 'they decide nothing');
  t.match(
    drawText(describe(resolved!)),
    /track\n {2}tensorboard +\{"everySteps":1\}\n {2}prometheus +\{"port":0\}\n {2}prometheus#2/,
  );
  t.match(
    drawNamed('prometheus', builtin),
    /^prometheus \(tracker\)\nServes[\s\S]*port +an integer from 0 to 65535 +9464/,
  );
});

t.test('what is wrong with them is said with its place, and what was meant', async (t) => {
  const problems = async (track: string) => {
    const root = t.testdir({ 'job.yaml': job(track) });
    const found = await checkFile(join(root, 'job.yaml'), { registry: builtin });
    return found.problems.map(({ error }) => error.message.replace(/^(\w+): \S*?(\d+:\d+)/, '$1: $2'));
  };
  t.match(await problems('[tensorbord]'), [/^NAME_UNKNOWN: 5:9.* `tensorbord`. Did you mean `tensorboard`\?$/]);
  t.match(await problems('[{ prometheus: { prot: 1 } }]'), [/^OPTION_UNKNOWN: 5:25.*`prot`\. Did you mean `port`\?$/]);
  t.match(await problems('[{ prometheus: { port: 70000 } }]'), [/^OPTION_VALUE: 5:31.*an integer from 0 to 65535/]);
  t.match(await problems('tensorboard'), [/^OPTION_VALUE: 5:8.*a list of trackers.*Begin each tracker with a dash\.$/]);
});

t.test('values of the command line are laid over them, and take them out', async (t) => {
  const root = t.testdir({ 'job.yaml': job('[tensorboard, { prometheus: 9000 }]') });
  const over = async (...set: string[]) => {
    const { definition, problems } = await loadPipeline(join(root, 'job.yaml'), { registry: builtin, set });
    const options = definition!.track?.map(({ tracker }) => [tracker.name, tracker.options]);
    return { options, texts: problems.map(({ error }) => error.text) };
  };
  t.match(await over('track.prometheus.port=0'), {
    options: [['tensorboard'], ['prometheus', { port: 0 }]],
    texts: [],
  });
  t.match(await over('track.tensorboard=null'), { options: [['prometheus', { port: 9000 }]], texts: [] });
  t.match(await over('track=null'), { options: undefined, texts: [] });
  t.match(await over('track.promtheus.port=1'), { texts: [/`promtheus` in `track`\. Did you mean `prometheus`\?/] });
  t.match(await over('track=[tensorboard]'), { texts: [/`track.name.option=value`.*`track=null` takes it out/] });
  t.match(await over('track.prometheus=1'), { texts: [/the tracker `prometheus` as a whole/] });
});

t.test('in a program they are values; others are refused', (t) => {
  const parts = { source: imageFolder('photos'), stages: [], sink: toJsonl() } as const;
  const texts = (track: unknown) =>
    resolvePipeline(definePipeline({ ...parts, track } as never), builtin).problems.map(({ error }) => error.text);
  t.same(texts([tensorboard(), prometheus({ port: 0 })]), []);
  t.match(texts(tensorboard()), [/`track` must be a list of trackers/]);
  t.match(texts([tensorboard]), [/`track.0` must be a tracker; got a function/]);
  t.match(texts([prometheus({ port: -1 })]), [/`port` must be an integer from 0/]);
  const other = defineTracker({ ...prometheus.definition, summary: 'Another.' });
  t.throws(() => createRegistry({ trackers: [prometheus, other] }), { code: 'NAME_TAKEN', message: /a tracker/ });
  t.end();
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RunEvent } from '../../../src/events/events.ts';
import { noticeText } from '../../../src/events/notices.ts';
import { builtin } from '../../../src/pipeline/builtin.ts';
import { soundPipeline } from '../../../src/pipeline/check.ts';
import { definePipeline } from '../../../src/runs/loader/define.ts';
import { openSource } from '../../../src/runs/loader/open.ts';
import { filesOfSource, SourceRecord } from '../../../src/runs/loader/source-files.ts';
import { run } from '../../../src/runs/run.ts';
import { toJsonl } from '../../../src/sinks/to-jsonl.ts';
import { idx, imageFolder } from '../../../src/sources/index.ts';
import type { Source } from '../../../src/sources/source.ts';
import { decode } from '../../../src/stages/index.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';

const job = (source: Source, output: string) =>
  definePipeline({
    name: 'job',
    source,
    stages: source.source.name === 'idx' ? [] : [decode()],
    sink: toJsonl(),
    output,
  } as never);

const filesOf = async (definition: ReturnType<typeof job>) => {
  const resolved = soundPipeline(definition, builtin);
  return filesOfSource(await openSource(resolved, {}), resolved.source!, definition.base);
};

t.test(
  'L14: files of a source that are others than when a run was begun are named, of any kind of source',
  async (t) => {
    const root = t.testdir({ run: {} });
    await pictureFolder(join(root, 'photos'), 300);
    const head = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1];
    writeFiles(root, { digits: Uint8Array.from([...head, 1, 2]), 'secret-7': Uint8Array.from([...head, 3, 4]) });
    const record = new SourceRecord(join(root, 'run'), [{ value: 'secret-7', shown: '${FILE}' }]);
    const photos = job(imageFolder(join(root, 'photos')), join(root, 'run'));
    const [files, digits] = [await filesOf(photos), await filesOf(job(idx(join(root, 'digits')), join(root, 'run')))];
    t.equal(Object.keys(files).length, 64);
    t.match(Object.keys(digits), [/digits$/]);
    t.equal(await record.change(files, { resumed: false }), undefined);
    t.equal(await record.change(files, { resumed: true }), undefined, 'nothing is different');
    t.equal(await record.changeSince(), undefined);
    for (let i = 0; i < 300; i++) utimesSync(join(root, 'photos', `${String(i).padStart(5, '0')}.jpg`), 1, 1);
    t.match(await record.change(files, { resumed: true }), /64 of 64 files .*00000\.jpg is .* of 1970/);
    t.match(await record.changeSince(), /64 of 64 files/);
    t.equal(await record.change(digits, { resumed: false }), undefined, 'begun anew');
    writeFileSync(join(root, 'digits'), Uint8Array.from([...head, 1]));
    t.match(await record.change(digits, { resumed: true }), /1 of 1 file .*digits is 17 bytes .*, not 18 bytes/);
    rmSync(join(root, 'digits'));
    t.match(await record.changeSince(), /digits is gone/);
    const hidden = await filesOf(job(idx(join(root, 'secret-7')), join(root, 'run')));
    await record.change(hidden, { resumed: false });
    t.equal(await record.changeSince(), undefined, 'of a path that is not shown');
  },
);

t.test('L14: a run that is finished says that its photos were replaced, and one that goes on too', async (t) => {
  const root = t.testdir({});
  await pictureFolder(join(root, 'photos'), 12);
  const definition = job(imageFolder(join(root, 'photos')), join(root, 'run'));
  await run(definition);
  t.notMatch((await run(definition)).lines.join('\n'), /changed/);
  utimesSync(join(root, 'photos/00003.jpg'), 1, 1);
  t.match(await run(definition), { earlier: true, lines: [/./, /1 of 12 files .*00003\.jpg/] });
  rmSync(join(root, 'run/finished.json'));
  const lines: string[] = [];
  const onEvent = (event: RunEvent) => event.type === 'notice' && lines.push(noticeText(event));
  await run(definition, { onEvent });
  t.match(lines.join('\n'), /not what this run was begun on, 1 of 12 files/);
});

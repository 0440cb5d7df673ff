import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import type { RunEvent } from '../../../src/events/events.ts';
import { pictureFolder, writeFiles } from '../../kit/files/folder.ts';
import { patchstream } from '../../kit/runs/terminal.ts';
import { linesIn, trainedRuns } from '../../kit/training/trained-runs.ts';

const runs = trainedRuns(t, 12);

/** Signals the process as soon as it has written so many samples, those of earlier runs among them. Gives how it ended: by which code, or which signal. */
async function signalled(child: ChildProcess, signal: NodeJS.Signals, due: number): Promise<unknown[]> {
  let earlier = 0;
  let sent = false;
  const exit = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout! })) {
    const event = JSON.parse(line) as RunEvent;
    if (event.type === 'started') earlier = event.written ?? 0;
    const done = event.type === 'progress' ? event.done : 0;
    // A second signal would end it at once.
    if (!sent && earlier + done >= due) sent = child.kill(signal);
  }
  return exit;
}

for (const [verb, model, value] of [
  ['embed', 'encoder', 'embedding'],
  ['predict', 'classifier', 'label'],
] as const) {
  t.test(`${verb} --watch, killed again and again while pictures arrive: each is written once`, async (t) => {
    const root = await runs;
    const photos = join(root, `arriving-${verb}`);
    const words = [verb, join(root, model), photos, '--format', 'jsonl', '--batch', '8'];
    const output = join(root, `watched-${verb}`);
    const start = () =>
      spawn(process.execPath, ['bin/patchstream.mjs', ...words, '--output', output, '--watch', '--json'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    mkdirSync(photos);
    let sound = 0;
    for (let burst = 0; burst < 5; burst++) {
      const count = 12 + 7 * burst;
      await pictureFolder(join(photos, `burst-${burst}`), count);
      writeFiles(photos, { [`broken-${burst}.jpg`]: 'no picture' });
      // Somewhere among those that have just arrived: nothing of them need be on the disk.
      const due = sound + 1 + ((5 * burst) % count);
      t.same(await signalled(start(), 'SIGKILL', due), [null, 'SIGKILL']);
      sound += count;
    }
    t.same(await signalled(start(), 'SIGINT', sound), [130, null]);
    const rows = linesIn(join(output, 'jsonl'));
    t.equal(rows.length, sound);
    t.equal(new Set(rows.map(({ key }) => key)).size, sound, 'each once');

    // In another order, so in other slots: the same but for the last bits.
    t.match(await patchstream([...words, '--output', join(root, `whole-${verb}`)]), { code: 0 });
    const whole = new Map(linesIn(join(root, `whole-${verb}`, 'jsonl')).map((row) => [row.key, row]));
    t.equal(whole.size, sound);
    for (const row of rows) {
      const [one, other] = [row[value], whole.get(row.key)![value]] as [(number | string)[], (number | string)[]];
      const isSame = one.every((own, i) =>
        typeof own === 'number' ? Math.abs(own - Number(other[i])) < 1e-5 : own === other[i],
      );
      if (!isSame) t.same(one, other, row.key);
    }

    // A job that was run to its end goes on.
    await pictureFolder(join(photos, 'after'), 5);
    const late = spawn(
      process.execPath,
      ['bin/patchstream.mjs', ...words, '--output', join(root, `whole-${verb}`), '--watch', '--json'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    t.same(await signalled(late, 'SIGINT', sound + 5), [130, null]);
    const more = linesIn(join(root, `whole-${verb}`, 'jsonl'));
    t.equal(more.length, sound + 5);
    t.same(
      more.slice(0, sound).map(({ key }) => key),
      [...whole.keys()],
      'what was written stays where it was',
    );
  });
}

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../../errors.ts';
import { inspectionText, inspectRun } from '../../runs/inspect-run.ts';
import { unlessGone } from '../../whole-file.ts';
import { exits, peakOf } from '../command.ts';
import type { Inspection } from './inspection.ts';

/** The folder of a training: why it is as fast as it is, and what would make it faster. */
export const runInspection: Inspection = {
  what: 'the folder of a training',
  knows: async (path, place) =>
    place === 'folder' && (await stat(join(path, 'metrics.jsonl')).catch(unlessGone)) !== undefined,
  async show(path, given, { stdout }) {
    const inspection = await inspectRun(path, peakOf(given).peak);
    const json = `${JSON.stringify(inspection, null, 2)}\n`;
    stdout.write(given.flag('json') ? json : `${printable(inspectionText(inspection))}\n`);
    return exits.ok;
  },
};

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../../errors.ts';
import { inspectionText, inspectRun } from '../../runs/inspect-run.ts';
import { unlessGone } from '../../whole-file.ts';
import { exits, peakOf, peakUnused } from '../command.ts';
import type { Inspection } from './inspection.ts';

/** Why there is no rate to compare with a peak. */
const nothingCounted = 'it is not known how much a step of this run computes';

/** The folder of a training: why it is as fast as it is, and what would make it faster. */
export const runInspection: Inspection = {
  what: 'the folder of a training',
  knows: async (path, place) =>
    place === 'folder' && (await stat(join(path, 'metrics.jsonl')).catch(unlessGone)) !== undefined,
  async show(path, given, terminal) {
    const inspection = await inspectRun(path, peakOf(given).peak);
    if (inspection.compute === undefined) peakUnused(given, nothingCounted, terminal);
    const json = `${JSON.stringify(inspection, null, 2)}\n`;
    terminal.stdout.write(given.flag('json') ? json : `${printable(inspectionText(inspection))}\n`);
    return exits.ok;
  },
};

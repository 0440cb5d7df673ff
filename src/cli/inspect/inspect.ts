import { stat } from 'node:fs/promises';
import { fail } from '../../errors.ts';
import { type Command, onlyWord, peakOption, peakUnused } from '../command.ts';
import { checkpointInspection } from './checkpoint.ts';
import type { Inspection, Place } from './inspection.ts';
import { jobInspection } from './job.ts';
import { onnxInspection } from './onnx.ts';
import { runInspection } from './run.ts';
import { shardInspection } from './shards.ts';
import { tarInspection } from './tar.ts';
import { weightsInspection } from './weights.ts';

/** Every kind; the first that knows a path shows it. */
const inspections: readonly Inspection[] = [
  runInspection,
  checkpointInspection,
  weightsInspection,
  onnxInspection,
  shardInspection,
  tarInspection,
  jobInspection,
];

const foundAt: Readonly<Record<Place, string>> = {
  file: 'a file of another kind',
  folder: 'a folder of another kind',
  device: 'a pipe or a device',
  nothing: 'nothing there',
};

/** `patchstream inspect <path>` */
export const inspect: Command = {
  name: 'inspect',
  usage: '<path>',
  summary: `Look into ${inspections.map(({ what }) => what).join(', or ')}: what it holds, what made it, and with --verify whether it is whole; of a training or a job, what sets its pace.`,
  options: {
    verify: {
      type: 'boolean',
      about: 'Read everything and compare every checksum; exit 1 where something is damaged.',
    },
    peak: peakOption,
    json: { type: 'boolean', about: 'Print one JSON value.' },
  },
  async run(given, terminal) {
    const path = onlyWord(inspect, given);
    const place = await stat(path).then(
      (found) => (found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'device'),
      () => 'nothing' as const,
    );
    for (const inspection of inspections) {
      // Opening a pipe would wait for ever, whatever its name.
      if (place === 'device' || !(await inspection.knows(path, place))) continue;
      if (inspection !== runInspection)
        peakUnused(given, `${path} is ${inspection.what}, which does not compute`, terminal);
      return inspection.show(path, given, terminal);
    }
    const kinds = inspections.map(({ what }) => what).join(', ');
    throw fail('INSPECT_NOTHING', { path, kinds, found: foundAt[place] });
  },
};

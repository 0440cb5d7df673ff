import { printable } from '../../errors.ts';
import { inspectJob, jobInspectionText } from '../../runs/inspect-job.ts';
import { exits } from '../command.ts';
import type { Inspection } from './inspection.ts';

/** The folder of a job: what sets its pace, the disk among it. */
export const jobInspection: Inspection = {
  what: 'the folder of a job',
  knows: async (path, place) => place === 'folder' && (await inspectJob(path)) !== undefined,
  async show(path, given, { stdout }) {
    const inspection = (await inspectJob(path))!;
    const json = `${JSON.stringify(inspection, null, 2)}\n`;
    stdout.write(given.flag('json') ? json : `${printable(jobInspectionText(inspection))}\n`);
    return exits.ok;
  },
};

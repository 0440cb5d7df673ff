import { printable } from '../../errors.ts';
import { checkpointAt, readCheckpoint, undigested } from '../../train/weights/checkpoint.ts';
import { exits } from '../command.ts';
import { type Inspection, twoColumns } from './inspection.ts';

/** The folder of a checkpoint: where the training stood, and with all its digests compared. What is not whole is CHECKPOINT_BROKEN. */
export const checkpointInspection: Inspection = {
  what: 'the folder of a checkpoint',
  knows: async (path, place) => place === 'folder' && (await checkpointAt(path)) !== undefined,
  async show(path, given, { stdout, stderr }) {
    const { state, model } = await readCheckpoint(path);
    const { format, step, position, updates, seed, versions, definition, digest } = state;
    const values = [...model.tensors.values()].reduce(
      (sum, { shape }) => sum + shape.reduce((n, side) => n * side, 1),
      0,
    );
    const shown = { format, step, position, updates, seed, versions, definition, tensors: model.tensors.size, values };
    if (digest === undefined) stderr.write(`${printable(undigested(path))}\n`);
    if (given.flag('json')) stdout.write(`${JSON.stringify({ ...shown, digest: digest ?? null }, null, 2)}\n`);
    else {
      const rows = Object.entries({ ...shown, digest: digest ?? 'none' }).map(
        ([name, value]) => [name, printable(typeof value === 'object' ? versionsText(value) : String(value))] as const,
      );
      stdout.write(twoColumns(rows));
    }
    return exits.ok;
  },
};

function versionsText(versions: object): string {
  return Object.entries(versions)
    .map(([name, version]) => `${name} ${String(version)}`)
    .join(', ');
}

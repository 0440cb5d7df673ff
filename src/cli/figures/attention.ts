import { counted } from '../../counts.ts';
import { fail, printable } from '../../errors.ts';
import { foundTrained } from '../../inference/trained.ts';
import type { Attended, AttentionPart, PatchPlace } from '../../runs/figures/attend.ts';
import { type Command, exits, type Given } from '../command.ts';
import { figureFiles, outputOption, writeFigures } from './output.ts';
import { panelEndings, panelForms } from './panels.ts';

/** `patchstream attention <run> <photo…>` */
export const attention: Command = {
  name: 'attention',
  usage: '<run> <photo…>',
  works: true,
  summary: 'Draw what a patch of photos attends to in the blocks of a trained model, in white what it attends to most.',
  options: {
    of: {
      type: 'string',
      value: 'part',
      about:
        'decoder (the default where the model has one): how a hidden patch is restored; or encoder: of the whole picture, nothing hidden.',
    },
    patch: {
      type: 'string',
      value: 'row,column',
      about: 'The patch that attends, counted from 1. Default: the one in the middle.',
    },
    layers: {
      type: 'string',
      value: 'list',
      about: 'Blocks, counted from 1, such as 2,4,6,8. Default: four at equal distances, the last among them.',
    },
    heads: { type: 'boolean', about: 'Draw a row for each head too, below the mean over the heads.' },
    ratio: {
      type: 'string',
      value: 'share',
      about: 'The share of the patches that is hidden from the decoder. Default: that of the training.',
    },
    output: outputOption(panelEndings),
    json: { type: 'boolean', about: 'Print the maps as JSON.' },
  },
  async run(given, { stdout, stderr }) {
    const [from, ...photos] = given.words;
    if (from === undefined || photos.length === 0)
      throw argument(given.words.join(' ') || 'nothing', `Write \`patchstream attention ${attention.usage}\`.`);
    const options = { part: partOf(given), layers: layersOf(given), target: patchOf(given), ratio: ratioOf(given) };
    const files = await figureFiles(attention, given, { endings: panelEndings, of: from });
    const trained = foundTrained(from, process.cwd());
    const note = (text: string) => stderr.write(`${printable(text)}\n`);
    for (const text of trained.notes) note(text);
    const { attendPhotos } = await import('../../runs/figures/attend.ts');
    const attended = await attendPhotos(trained, photos, { ...options, note });
    const { attentionColumns, attentionRows } = await import('../../runs/figures/attention-rows.ts');
    const rows = attentionRows(attended, { heads: given.flag('heads') });
    await writeFigures(
      files,
      panelForms({
        title: `What a patch attends to in the ${attended.part} of ${attended.model}`,
        about: [from, aboutOf(attended)],
        columns: attentionColumns(attended),
        rows,
      }),
    );
    if (given.flag('json')) stdout.write(`${JSON.stringify(await jsonOf(from, attended, files))}\n`);
    else stdout.write(`${[...rows.map(({ caption = '' }) => printable(caption)), ...files].join('\n')}\n`);
    return exits.ok;
  },
};

function argument(found: string, advice: string) {
  return fail('ARGUMENT', { command: 'patchstream attention', found, advice });
}

/** @throws ARGUMENT */
function partOf(given: Given): AttentionPart | undefined {
  const part = given.text('of');
  if (part === undefined || part === 'encoder' || part === 'decoder') return part;
  throw argument(`--of ${part}`, 'It must be encoder or decoder.');
}

/** @throws ARGUMENT */
function patchOf(given: Given): PatchPlace | undefined {
  const text = given.text('patch');
  if (text === undefined) return undefined;
  const [, row, column] = /^([1-9]\d*),([1-9]\d*)$/.exec(text) ?? [];
  if (row === undefined) throw argument(`--patch ${text}`, 'It must be a row and a column from 1, such as 7,7.');
  return { row: Number(row) - 1, column: Number(column) - 1 };
}

/** @throws ARGUMENT */
function layersOf(given: Given): readonly number[] | undefined {
  const text = given.text('layers');
  if (text === undefined) return undefined;
  if (/^\d+(,\d+)*$/.test(text)) return [...new Set(text.split(',').map(Number))];
  throw argument(`--layers ${text}`, 'It must be a list of whole numbers from 1, such as 2,4,6,8.');
}

/** @throws ARGUMENT */
function ratioOf(given: Given): number | undefined {
  const text = given.text('ratio');
  if (text === undefined) return undefined;
  if (given.text('of') === 'encoder')
    throw argument('--ratio with --of encoder', 'Nothing is hidden from an encoder here: leave it out.');
  const ratio = text.trim() === '' ? Number.NaN : Number(text);
  if (ratio > 0 && ratio < 1) return ratio;
  throw argument(`--ratio ${text}`, 'It must be a number above 0 and below 1, such as 0.75.');
}

function aboutOf({ part, depth, side }: Attended): string {
  const given =
    part === 'decoder'
      ? 'The framed patch is hidden; the maps show what it is restored from'
      : 'Nothing is hidden; the maps show what the framed patch attends to';
  const how = 'the lighter, the more, and in white the most of each map. What goes to the cls token is left out.';
  return `${given}, on a grid of ${side} × ${side}: ${how} The ${part} has ${counted(depth, 'block')}.`;
}

async function jsonOf(from: string, attended: Attended, files: readonly string[]): Promise<object> {
  const { meanOf } = await import('../../runs/figures/attend.ts');
  const { model, part, depth, side, target, photos } = attended;
  const listed = photos.map(({ path, corner, mask, maps }) => ({
    photo: path,
    ...(mask && { mask: [...mask], window: [corner.topPatch + 1, corner.leftPatch + 1] }),
    maps: maps.map((map) => ({
      layer: map.layer,
      mean: [...meanOf(map).weights],
      cls: meanOf(map).other,
      heads: map.heads.map((weights) => [...weights]),
    })),
  }));
  const patch = [target.row + 1, target.column + 1];
  return { type: 'attention', from, model, of: part, depth, side, patch, photos: listed, files };
}

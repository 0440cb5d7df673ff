import { statSync } from 'node:fs';
import { counted } from '../../counts.ts';
import { fail, printable } from '../../errors.ts';
import { foundTrained } from '../../inference/trained.ts';
import type { Restored, RestoredRow } from '../../runs/figures/restore.ts';
import { type Command, exits, type Given, type Terminal } from '../command.ts';
import { drawHeldOut, heldOutOptions } from '../evaluate.ts';
import { figureFiles, outputOption, writeFigures } from './output.ts';
import { panelEndings, panelForms, tableHtml } from './panels.ts';

/** Those of a pipeline, and those of photographs. */
const ofPipelines = Object.keys(heldOutOptions);
const ofPhotos = ['ratios', 'json'];
const usual = '0.6,0.7,0.8,0.9';

/** `patchstream reconstruct <run> <photo…>`, and `patchstream reconstruct <pipeline>` */
export const reconstruct: Command = {
  name: 'reconstruct',
  usage: '<run> <photo…>',
  works: true,
  summary:
    'Draw what a trained model restores of photos, at several mask ratios; or, of a <pipeline> alone, of the pictures that it is evaluated on.',
  options: {
    ratios: {
      type: 'string',
      value: 'list',
      about: `Of photos: the shares of the patches that are hidden, a row each. Default ${usual}.`,
    },
    output: outputOption(panelEndings),
    json: { type: 'boolean', about: 'Of photos: print the errors on the hidden pixels as JSON.' },
    ...heldOutOptions,
  },
  async run(given, terminal) {
    const [from, ...photos] = given.words;
    if (from === undefined || (photos.length === 0 && !isRun(from))) {
      refuseOptions(given, ofPhotos, 'without photos');
      return drawHeldOut(reconstruct, given, terminal);
    }
    if (photos.length === 0)
      throw argument(`the run ${from} alone`, `Write \`patchstream reconstruct ${reconstruct.usage}\`.`);
    refuseOptions(given, ofPipelines, 'with photos');
    return drawPhotos(from, photos, given, terminal);
  },
};

/** A folder, or a file of weights: all else is for pipelines to be told of. */
function isRun(path: string): boolean {
  return path.endsWith('.safetensors') || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function argument(found: string, advice: string) {
  return fail('ARGUMENT', { command: 'patchstream reconstruct', found, advice });
}

/** @throws ARGUMENT for options of the other way to call it */
function refuseOptions(given: Given, names: readonly string[], how: string): void {
  const name = names.find((one) => given.flag(one) || given.text(one) !== undefined || given.list(one).length > 0);
  if (name !== undefined) throw argument(`--${name} ${how}`, 'Leave it out.');
}

async function drawPhotos(from: string, photos: readonly string[], given: Given, { stdout, stderr }: Terminal) {
  const ratios = ratiosOf(given);
  const files = await figureFiles(reconstruct, given, { endings: panelEndings, of: from });
  const trained = foundTrained(from, process.cwd());
  const note = (text: string) => stderr.write(`${printable(text)}\n`);
  for (const text of trained.notes) note(text);
  const { restorePhotos } = await import('../../runs/figures/restore.ts');
  const restored = await restorePhotos(trained, photos, { ratios, note });
  const { restorationColumns, restorationRow } = await import('../../measures/reconstruction/panels.ts');
  await writeFigures(
    files,
    panelForms({
      title: `What ${restored.model} restores of hidden patches`,
      about: [from, ...restored.notes],
      columns: restorationColumns(restored.rows[0]!.image),
      rows: restored.rows.map((row) => restorationRow(row.image, captionOf(row))),
      more: [errorTable(restored)],
    }),
  );
  if (given.flag('json')) stdout.write(`${JSON.stringify(jsonOf(from, restored, files))}\n`);
  else stdout.write(`${[...restored.rows.map(captionOf).map(printable), ...files].join('\n')}\n`);
  return exits.ok;
}

/** @throws ARGUMENT */
function ratiosOf(given: Given): readonly number[] {
  const text = given.text('ratios') ?? usual;
  const ratios = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (ratios.every((ratio) => ratio > 0 && ratio < 1)) return ratios;
  throw argument(`--ratios ${text}`, `It must be a list of numbers above 0 and below 1, such as ${usual}.`);
}

/** `cat.jpg · 80 % hidden, 39 of 49 patches · error 0.412, smooth fill 0.530` */
function captionOf({ photo, ratio, hidden, of, errors }: RestoredRow): string {
  const share = `${Number((100 * ratio).toFixed(1))} % hidden, ${hidden} of ${counted(of, 'patch', 'patches')}`;
  return [photo, share, `error ${errors.ours!.toFixed(3)}, smooth fill ${errors.smoothFill!.toFixed(3)}`].join(' · ');
}

function errorTable({ rows }: Restored): string {
  const head = ['', 'hidden', 'error on hidden pixels', 'smooth fill', 'mean patch'];
  return tableHtml(
    head,
    rows.map(({ photo, hidden, of, errors: { ours, smoothFill, meanPatch } }) => [
      photo,
      `${hidden} of ${of}`,
      ...[ours, smoothFill, meanPatch].map((error) => error!.toFixed(4)),
    ]),
  );
}

function jsonOf(from: string, { model, notes, rows }: Restored, files: readonly string[]): object {
  const listed = rows.map(({ photo, ratio, hidden, of, errors }) => ({ photo, ratio, hidden, of, errors }));
  return { type: 'reconstruct', from, model, notes, rows: listed, files };
}

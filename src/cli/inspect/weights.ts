import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { counted } from '../../counts.ts';
import { printable } from '../../errors.ts';
import { openSafetensors, type Safetensors } from '../../formats/safetensors.ts';
import { sizeText } from '../../pipeline/draw.ts';
import { aboutKey, broken, checkpointAt, otherDigest, readState } from '../../train/weights/checkpoint.ts';
import type { CheckpointState } from '../../train/weights/checkpoint-state.ts';
import { parseTrained, trainedKey } from '../../train/weights/trained-on.ts';
import { exits } from '../command.ts';
import { type Inspection, twoColumns } from './inspection.ts';

const ending = '.safetensors';
/** So many tensors, classes and characters of a text are shown. */
const [shownTensors, shownClasses, shownLetters] = [5, 10, 200];

/**
 * A file of weights, as `export` writes it or as others publish it: its tensors, and what it says of its model. The format has no checksums; with --verify a file
 * that is part of a checkpoint is compared with the digest there, and that of any other is printed.
 */
export const weightsInspection: Inspection = {
  what: 'a file of weights (.safetensors)',
  knows: async (path, place) => place === 'file' && path.endsWith(ending),
  async show(path, given, { stdout }) {
    const file = openSafetensors(path);
    const about = aboutOf(file, path);
    const sha256 = given.flag('verify') ? await digestIn(path, file.pieces()) : undefined;
    const { size: bytes } = await stat(path);
    const found = { name: basename(path), bytes, ...about, ...(sha256 !== undefined && { sha256 }) };
    if (given.flag('json')) stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    else stdout.write(twoColumns(rowsOf(found).map(([name, text]) => [printable(name), printable(text)])));
    return exits.ok;
  },
};

type Found = ReturnType<typeof aboutOf> & { readonly name: string; readonly bytes: number; readonly sha256?: string };

function aboutOf({ tensors, metadata }: Safetensors, path: string) {
  const listed = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const { [aboutKey]: of, [trainedKey]: _, ...rest } = metadata;
  const trained = parseTrained(metadata, path);
  return {
    values: listed.reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0),
    ...(of !== undefined && { of }),
    ...(trained !== undefined && { trained }),
    metadata: rest,
    tensors: listed,
  };
}

/** SHA-256 of the file. @throws CHECKPOINT_BROKEN where its checkpoint has another one for it. */
async function digestIn(path: string, pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  const found = hash.digest('hex');
  const folder = dirname(path);
  if ((await checkpointAt(folder)) === undefined) return found;
  const { digests } = await readState(folder);
  const expected = digests[basename(path) as keyof CheckpointState['digests']];
  if (expected !== undefined && expected !== found) throw broken(folder, basename(path), new Error(otherDigest));
  return found;
}

function rowsOf({ name, bytes, values, of, trained, metadata, tensors, sha256 }: Found): [string, string][] {
  const rows: [string, string][] = [
    [name, `${counted(tensors.length, 'tensor')}, ${counted(values, 'value')}, ${sizeText(bytes)}`],
  ];
  if (trained !== undefined) {
    const { model, stages, classNames } = trained;
    rows.push(['model', `${model.name} ${JSON.stringify(model.options)}`]);
    if (model.module !== undefined) rows.push(['module', model.module]);
    if (model.spec.size !== undefined) rows.push(['pictures', `${model.spec.size.join(' × ')} px`]);
    if (stages !== null) rows.push(['stages', stages.map((stage) => stage.name).join(', ') || 'none']);
    if (classNames !== undefined) rows.push(['classes', `${classNames.length}: ${firstOf(classNames, shownClasses)}`]);
  } else if (of !== undefined) rows.push(['model', of]);
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))];
  rows.push(['types', dtypes.join(', ') || 'none']);
  rows.push([
    'tensors',
    firstOf(
      tensors.map(({ name, shape }) => `${name} [${shape.join(', ')}]`),
      shownTensors,
    ),
  ]);
  for (const [key, text] of Object.entries(metadata)) {
    rows.push([key, text.length > shownLetters ? `${text.slice(0, shownLetters)}…` : text]);
  }
  if (sha256 !== undefined) rows.push(['sha256', sha256]);
  return rows;
}

function firstOf(texts: readonly string[], most: number): string {
  return texts.slice(0, most).join(', ') + (texts.length > most ? ', …' : '');
}

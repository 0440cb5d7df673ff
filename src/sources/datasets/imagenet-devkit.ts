import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../counts.ts';
import { fail, reasonOf } from '../../errors.ts';
import { readWhole, unreadable } from '../../files/files.ts';
import { nothingThere, systemCode } from '../../files/system.ts';
import { readMatStructs } from '../../formats/mat-structs.ts';

/** The development kit of ImageNet's 2012 challenge (ILSVRC2012_devkit_t12): which classes there are, and which class each validation picture is of. */

/** Files of the kit. */
const [synsets, truth] = ['data/meta.mat', 'data/ILSVRC2012_validation_ground_truth.txt'];

/** Bytes that each may have; the published ones have 0.3 million, and 0.2. */
const mostBytes = 2 ** 26;

/** What a class is called: its synset of WordNet. */
export const wnid = /^n\d{8}$/;

export interface DevkitClasses {
  /** The synsets of the classes in sorted order: the place of one is its label. */
  readonly wnids: readonly string[];
  /** The label of each of the kit's own numbers, which count from 1 in another order. */
  readonly labels: ReadonlyMap<number, number>;
}

/** The classes by `data/meta.mat` of a kit; nothing where there is no such file. @throws FILE_UNREADABLE, FILE_LARGE, MAT_FORMAT, IMAGENET_FORMAT */
export async function devkitClasses(folder: string, signal: AbortSignal): Promise<DevkitClasses | undefined> {
  const path = join(folder, synsets);
  if (!(await isThere(path))) return undefined;
  const rows = await readMatStructs(path, 'synsets', ['ILSVRC2012_ID', 'WNID', 'num_children'], {
    maxBytes: mostBytes,
    signal,
  });
  const refuse = (rule: string, found: string) => fail('IMAGENET_FORMAT', { rule, found }, { where: path });
  const numberOf = new Map<string, number>();
  for (const [i, { ILSVRC2012_ID: id, WNID: name, num_children: children }] of rows.entries()) {
    // Others are groups of classes.
    if (children !== 0) {
      if (typeof children === 'number' && Number.isInteger(children) && children > 0) continue;
      throw refuse('have `num_children`, a whole number, of each synset', `${children} in synset ${i + 1}`);
    }
    if (typeof name !== 'string' || !wnid.test(name))
      throw refuse('have a WNID as n01440764 of each class', `${name} in synset ${i + 1}`);
    if (typeof id !== 'number') throw refuse('have an ILSVRC2012_ID of each class', `${id} of ${name}`);
    if (numberOf.has(name)) throw refuse('name each class once', `${name} in synset ${i + 1} again`);
    numberOf.set(name, id);
  }
  const wnids = [...numberOf.keys()].sort();
  const labels = new Map(wnids.map((name, label) => [numberOf.get(name)!, label]));
  const missing = wnids.findIndex((_, i) => !labels.has(i + 1));
  if (missing >= 0)
    throw refuse(`number its ${counted(wnids.length, 'class', 'classes')} from 1 on`, `no class ${missing + 1}`);
  return { wnids, labels };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (nothingThere.includes(systemCode(cause) ?? '')) return false;
    throw unreadable(path, reasonOf(cause), cause);
  }
}

/** The label of each validation picture, in the order of their numbers. @throws FILE_UNREADABLE, FILE_LARGE, IMAGENET_LINE */
export async function devkitTruth(folder: string, { labels }: DevkitClasses, signal: AbortSignal): Promise<number[]> {
  const bytes = await readWhole(join(folder, truth), truth, { maxBytes: mostBytes, signal });
  const lines = Buffer.from(bytes)
    .toString('latin1')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/);
  return lines.map((line, i) => {
    const label = /^\d{1,9}$/.test(line) ? labels.get(Number(line)) : undefined;
    if (label !== undefined) return label;
    const found = line === '' ? 'an empty line' : line.slice(0, 40);
    throw fail('IMAGENET_LINE', { line: i + 1, most: labels.size, found }, { where: truth });
  });
}

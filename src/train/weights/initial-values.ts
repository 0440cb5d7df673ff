import { counted } from '../../counts.ts';
import { fail, printable } from '../../errors.ts';
import { floatsOf, requireFloats, type Safetensors, type StoredTensor } from '../../formats/safetensors.ts';
import { sharedBias } from '../../models/beit/options.ts';
import { gridPositions, resizedPositions } from '../../models/layers/positions.ts';
import { biasSide, resizedBias } from '../../models/layers/relative-bias.ts';
import type { Model } from '../../models/model.ts';
import { isOfEncoder } from './weights-file.ts';

/** Values for some or all parameters of a model, in the layout of memory, and what the user should know. */
export interface InitialValues {
  /** Each made when it is asked for, as long as the file is open. */
  readonly values: ReadonlyMap<string, () => Float32Array>;
  readonly notes: readonly string[];
}

/** Wrappers of training codes, which put their name before all others. */
const wrappers = /^(module|model|backbone|encoder)\./;

/** Tables of positions, which files hold and models of ours compute or do without. */
const tables: ReadonlySet<string> = new Set(['pos_embed', 'decoder_pos_embed']);

/** Tables of relative positions that begin at zero, where they change nothing: an encoder that was trained without them begins as it was. */
const begunAtZero = /\.rpe_[qv]\.lookup_table_weight$/;

/** A classifier's head, of no use to a masked model. */
const heads = /^(head|fc_norm)\./;

/**
 * The first values of a model from a file of its own, of MAE's or LoMaR's published code, or of an encoder alone (then the rest stays
 * fresh, as tables of relative positions for queries and values do that it has not). Names are timm's; a wrapper's prefix before all of them is taken off. Tables of positions must be the fixed ones, of any grid;
 * a model without positions leaves them out, one that learns them takes any and brings them to its grid. A masked model leaves out a classifier's
 * head, a classifier what is no encoder's.
 *
 * @throws WEIGHTS_MISMATCH with what is missing, left over and of another shape.
 */
export function initialValues(model: Model, { tensors }: Safetensors, where: string): InitialValues {
  const stored = unwrapped(tensors);
  const wrong: Wrong = { missing: [], extra: [], shapes: [] };
  const notes: string[] = [];
  const whole = model.parameters.some((name) => !isOfEncoder(name) && stored.has(name));
  const wanted = whole ? model.parameters : model.parameters.filter(isOfEncoder);
  const resizedBiases = new Set<string>();
  const values = new Map<string, () => Float32Array>();
  const cls = model.parameters.includes('cls_token') ? model.stored('cls_token').shape[1]! : 1;
  for (const name of wanted) {
    const tensor = stored.get(name) ?? sharedTable(name, stored);
    const { shape, fromFile } = model.stored(name);
    if (tensor !== undefined) requireFloats(tensor, where);
    if (tensor === undefined && begunAtZero.test(name)) continue;
    if (tensor === undefined) wrong.missing.push(name);
    else if (tensor.shape.join() === shape.join()) values.set(name, () => fromFile(floatsOf(tensor, where)));
    else if (name === 'pos_embed' && isTable(tensor, cls) && tensor.shape[2] === shape[2]) {
      const [from, to] = [sideOf(tensor.shape, cls), sideOf(shape, cls)];
      values.set(name, () => fromFile(resizedPositions(floatsOf(tensor, where), shape[2]!, from, to, cls)));
      notes.push(
        `${where} has positions of ${from} × ${counted(from, 'patch', 'patches')}: they are brought to ${to} × ${to}.`,
      );
    } else if (isBias(name) && isBiasTable(tensor, shape)) {
      const [from, to] = [biasSide(tensor.shape[0]!)!, biasSide(shape[0]!)!];
      values.set(name, () => fromFile(resizedBias(floatsOf(tensor, where), shape[1]!, from, to)));
      resizedBiases.add(
        `${where} has relative positions of ${from} × ${counted(from, 'patch', 'patches')}: they are brought to ${to} × ${to}.`,
      );
    } else wrong.shapes.push(`${name} [${tensor.shape}], not [${shape}]`);
  }
  notes.push(...resizedBiases);
  const known = new Set(model.parameters);
  const ignored = (name: string) => !known.has(name) && (model.ignores?.(name) ?? heads.test(name));
  const leftOut = [...stored.keys()].filter(ignored);
  for (const [name, tensor] of stored) {
    if (known.has(name) || ignored(name)) continue;
    if (!tables.has(name)) wrong.extra.push(name);
    else if (model.fixed === undefined) leftOut.push(name);
    else if (!isFixed(tensor, cls, where)) wrong.extra.push(`${name}, whose positions are not the fixed ones`);
  }
  refuse(model, wrong, where);
  const fresh = model.parameters.length - values.size;
  if (fresh > 0) {
    const first = model.parameters.find((name) => !values.has(name));
    notes.push(
      `${where} holds an encoder: it is taken; ${counted(fresh, 'other parameter stays', 'other parameters stay')} fresh, from ${first} on.`,
    );
  }
  if (leftOut.length > 0)
    notes.push(`${where} also holds ${listed(leftOut)}, which the model ${model.name} does not use.`);
  return { values, notes };
}

function unwrapped(tensors: Safetensors['tensors']): ReadonlyMap<string, StoredTensor> {
  const names = [...tensors.keys()];
  const prefix = wrappers.exec(names[0] ?? '')?.[0];
  if (prefix === undefined || !names.every((name) => name.startsWith(prefix))) return tensors;
  return new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** A table of BEiT's relative positions, of a block or shared by all. */
function isBias(name: string): boolean {
  return name.endsWith('relative_position_bias_table');
}

/** The table that all blocks share in pre-training, for one that has its own. */
function sharedTable(name: string, stored: ReadonlyMap<string, StoredTensor>): StoredTensor | undefined {
  return isBias(name) ? stored.get(`${sharedBias}.relative_position_bias_table`) : undefined;
}

function isBiasTable({ shape }: StoredTensor, [, heads]: readonly number[]): boolean {
  return shape.length === 2 && shape[1] === heads && biasSide(shape[0]!) !== undefined;
}

/** Whether a table is MAE's fixed one of a square grid, whatever its side: pictures of another size have another. */
function isFixed(tensor: StoredTensor, cls: number, where: string): boolean {
  const width = tensor.shape[2]!;
  if (!isTable(tensor, cls) || width % 4 !== 0) return false;
  const side = sideOf(tensor.shape, cls);
  const values = floatsOf(tensor, where);
  return gridPositions(side, side, width, cls).every((value, i) => Math.abs(value - values[i]!) < 1e-3);
}

/** Whether a tensor is [1, cls + side², D]. */
function isTable({ shape }: StoredTensor, cls: number): boolean {
  return shape.length === 3 && shape[0] === 1 && shape[1]! > cls && Number.isInteger(sideOf(shape, cls));
}

function sideOf([, length = 0]: readonly number[], cls: number): number {
  return Math.sqrt(length - cls);
}

interface Wrong {
  readonly missing: string[];
  readonly extra: string[];
  readonly shapes: string[];
}

function refuse({ name }: Model, { missing, extra, shapes }: Wrong, where: string): void {
  const parts = [
    ['missing', missing],
    ['left over', extra],
    ['of another shape', shapes],
  ] as const;
  const found = parts.filter(([, names]) => names.length > 0).map(([what, names]) => `${what}: ${listed(names)}`);
  if (found.length > 0) throw fail('WEIGHTS_MISMATCH', { model: name, found: found.join('; ') }, { where });
}

/** How many names a message holds. */
const most = 8;

function listed(names: readonly string[]): string {
  const more = names.length > most ? ` and ${names.length - most} more` : '';
  return printable(names.slice(0, most).join(', ')).slice(0, 600) + more;
}

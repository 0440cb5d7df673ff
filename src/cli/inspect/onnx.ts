import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { counted } from '../../counts.ts';
import { printable, reasonOf } from '../../errors.ts';
import { FilePool } from '../../files/positioned.ts';
import { type OnnxSeen, type OnnxSummary, onnxSummary } from '../../formats/onnx-summary.ts';
import { sizeText } from '../../pipeline/draw.ts';
import { unlessGone } from '../../whole-file.ts';
import { exits } from '../command.ts';
import { type Inspection, twoColumns } from './inspection.ts';

const ending = '.onnx';
/** So many characters of a text are shown. */
const shownLetters = 200;

/** A file of ONNX, of ours or of another program: what it takes and gives, and what it consists of. The format has no checksums; with --verify one is printed. */
export const onnxInspection: Inspection = {
  what: 'a file of ONNX (.onnx)',
  knows: async (path, place) => place === 'file' && path.toLowerCase().endsWith(ending),
  async show(path, given, { stdout, stderr }) {
    const pool = new FilePool();
    let summary: OnnxSummary;
    let bytes: number;
    try {
      const file = await pool.file(path, basename(path));
      bytes = file.size;
      summary = await onnxSummary(file);
    } finally {
      pool.close();
    }
    const problems = await missingData(path, summary);
    const sha256 = given.flag('verify') ? await digestOf(path) : undefined;
    const found = { name: basename(path), bytes, ...summary, problems, ...(sha256 !== undefined && { sha256 }) };
    if (given.flag('json')) stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    else {
      stdout.write(twoColumns(rowsOf(found).map(([name, text]) => [printable(name), printable(text)])));
      for (const problem of problems) stderr.write(`${printable(problem)}\n`);
    }
    return problems.length > 0 ? exits.failed : exits.ok;
  },
};

type Found = OnnxSummary & { readonly name: string; readonly bytes: number; readonly sha256?: string };

/** Of the files beside it which hold its tensors: those that are not there, cannot be looked at, or are too short. */
async function missingData(path: string, { data }: OnnxSummary): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, bytes] of Object.entries(data)) {
    let size: number | undefined;
    try {
      size = (await stat(join(dirname(path), name)).catch(unlessGone))?.size;
    } catch (error) {
      problems.push(`${name}, which holds tensors of it, cannot be looked at: ${reasonOf(error)}.`);
      continue;
    }
    if (size === undefined) problems.push(`${name}, which holds tensors of it, is not beside it.`);
    else if (size < bytes)
      problems.push(`${name}, which holds tensors of it, was cut: ${sizeText(size)} of ${sizeText(bytes)}.`);
  }
  return problems;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

function rowsOf(found: Found): [string, string][] {
  const { name, bytes, nodes, tensors, values, inputs, outputs, operations, types, data, metadata, sha256 } = found;
  const operators = Object.entries(found.operators).map(([domain, version]) => `${domain} ${version}`);
  return [
    [name, `${counted(nodes, 'node')}, ${counted(tensors, 'tensor')}, ${counted(values, 'value')}, ${sizeText(bytes)}`],
    ...rowOf('about', found.about),
    ...rowOf('made by', found.producer),
    ['format', `version ${found.format}, operators ${operators.join(', ') || 'of no version'}`],
    ...inputs.map((one): [string, string] => ['input', valueText(one)]),
    ...outputs.map((one): [string, string] => ['output', valueText(one)]),
    ['operations', pairs(operations) || 'none'],
    ['types', types.join(', ') || 'none'],
    ...rowOf('data', pairs(data, sizeText)),
    ...Object.entries(metadata).map(([key, text]): [string, string] => [key, shortened(text)]),
    ...rowOf('sha256', sha256 ?? ''),
  ];
}

function rowOf(name: string, text: string): [string, string][] {
  return text === '' ? [] : [[name, shortened(text)]];
}

function pairs(of: Readonly<Record<string, number>>, text: (value: number) => string = String): string {
  return Object.entries(of)
    .map(([name, value]) => `${name} ${text(value)}`)
    .join(', ');
}

/** `picture uint8 [N, 224, 224, 3]` */
function valueText({ name, type, shape }: OnnxSeen): string {
  return `${name} ${type}${shape === undefined ? '' : ` [${shape.join(', ')}]`}`;
}

function shortened(text: string): string {
  return text.length > shownLetters ? `${text.slice(0, shownLetters)}…` : text;
}

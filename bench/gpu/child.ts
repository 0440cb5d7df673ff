import { fileURLToPath } from 'node:url';
import { type BackendChoice, type BackendWish, chooseBackend } from '../../src/backends/choose.ts';
import type { Precision } from '../../src/backends/torch/precision.ts';
import type { Row } from './rows.ts';

/** What the script says to its sections, by their environment. */
export const kit = {
  device: process.env.KIT_DEVICE ?? 'cpu',
  tiny: process.env.KIT_TINY === '1',
  /** When its time is over, in milliseconds since 1970. */
  deadline: Number(process.env.KIT_DEADLINE ?? Number.POSITIVE_INFINITY),
  /** A folder for what it writes. */
  work: process.env.KIT_WORK ?? '.',
  /** A python with torch, or nothing. */
  python: process.env.KIT_PYTHON ?? '',
  /** The tree of the program, and what it is fed with. */
  app: fileURLToPath(new URL('../../', import.meta.url)),
};
export const photos = `${kit.app}data/photos`;
export const shards = `${kit.app}data/shards`;

/** Writes a row; it is with the script when this returns. */
export function row(fields: Row): void {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

/** Whether so many seconds are left. */
export function isTimeFor(seconds: number): boolean {
  return Date.now() + seconds * 1000 < kit.deadline;
}

/** Does `work` for each item while there is time; a row says what was left out, and one what failed. */
export async function whileTime<T>(
  items: readonly T[],
  { name, seconds }: { name(item: T): string; readonly seconds: number },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const items_ = [...items];
  for (let item = items_.shift(); item !== undefined; item = items_.shift()) {
    if (!isTimeFor(seconds)) {
      row({ cut: [item, ...items_].map(name) });
      return;
    }
    try {
      await work(item);
    } catch (error) {
      row({ what: name(item), ok: false, error: lineOf(error) });
    }
  }
}

/** The first line of an error. */
export function lineOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!.slice(0, 300);
}

/** What a program said of its failure: the last line that names an error, else its last. */
export function errorLine(said: string): string {
  const lines = said.split('\n').map((line) => line.trim());
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.findLast(Boolean) ?? 'nothing was said').slice(0, 300);
}

/** Makes torch on a device tfjs' current backend, with products in this precision as far as it has it. */
export function useTorch(device: string, precision: Precision = 'float32'): Promise<BackendChoice> {
  return chooseBackend(
    { backend: 'torch', device: device as NonNullable<BackendWish['device']>, precision },
    { warn: () => {} },
  );
}

/** The median of numbers. */
export function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** A number with so many digits that count. */
export function digits(value: number, count = 4): number {
  return Number(value.toPrecision(count));
}

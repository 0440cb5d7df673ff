import { printable } from '../errors.ts';

/** How many differences a message holds. */
const most = 4;

/** What follows from other values: told where none of them differs. */
const derived = (option: string) => /^(order|spec|model\.spec)\b/.test(option);

/**
 * What differs between the definition that a checkpoint was made with and the one that would go on from it, in words:
 * `train.batch is 48 in it and 32 in the pipeline`. Undefined when nothing does: what differs was not written down.
 *
 * @param stored as `state.json` has it, so any JSON. @param own as JSON.
 */
export function differences(stored: unknown, own: unknown): string | undefined {
  const all = [...compared(stored, own, '')];
  const telling = all.filter(({ option }) => !derived(option));
  const told = telling.length > 0 ? telling : all;
  if (told.length === 0) return undefined;
  const texts = told
    .slice(0, most)
    .map(
      ({ option, stored, own }) =>
        `${printable(option)} is ${valueText(stored)} in it and ${valueText(own)} in the pipeline`,
    );
  return `${texts.join('; ')}${told.length > most ? `; and ${told.length - most} more differ` : ''}`;
}

interface Difference {
  readonly option: string;
  readonly stored: unknown;
  readonly own: unknown;
}

function* compared(stored: unknown, own: unknown, option: string): Generator<Difference> {
  // Never deeper than our own definition: a file may be as deep as it likes.
  if (isMap(stored) && isMap(own)) {
    for (const key of new Set([...Object.keys(own), ...Object.keys(stored)])) {
      yield* compared(valueAt(stored, key), valueAt(own, key), option === '' ? key : `${option}.${key}`);
    }
  } else if (Array.isArray(stored) && Array.isArray(own) && stored.length === own.length) {
    const items = own.flatMap((item, i) => [...compared(stored[i], item, `${option}[${i}]`)]);
    // A list of plain values is one value.
    if (items.length > 0 && !own.some(isMap)) yield { option, stored, own };
    else yield* items;
  } else if (!Object.is(stored, own)) yield { option, stored, own };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(map: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

function valueText(value: unknown, depth = 0): string {
  if (value === undefined || value === null) return 'not set';
  if (typeof value === 'string') return `'${printable(value.length > 80 ? `${value.slice(0, 80)}…` : value)}'`;
  if (Array.isArray(value)) {
    if (value.length > 12 || depth > 1) return `a list of ${value.length}`;
    return `[${value.map((item) => valueText(item, depth + 1)).join(', ')}]`;
  }
  if (!isMap(value)) return String(value);
  const keys = Object.keys(value);
  if (keys.length > 6 || depth > 1) return `a map of ${keys.length}`;
  return `{ ${keys.map((key) => `${printable(key)}: ${valueText(value[key], depth + 1)}`).join(', ')} }`;
}

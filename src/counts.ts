/** Words with numbers in front of them, for people. */

/** A number as people read it: `1,234`. */
export function numberText(count: number): string {
  return count.toLocaleString('en');
}

/** `1 file`, `2 files`, `1,234 files`. @param many the plural, where it is not the word with an s. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}

/** The part of a whole, in percent from 0 to 100: measured times may overlap by a little, and a share is never more than all. */
export function percentOf(part: number, whole: number): number {
  return whole > 0 ? 100 * Math.min(1, Math.max(0, part / whole)) : 0;
}

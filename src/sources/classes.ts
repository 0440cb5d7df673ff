import { codePoints } from '../files/name-text.ts';

/** So many names are shown. */
const shown = 5;

/**
 * What makes ranks of `found` mean other classes than those of `expected`, in words; nothing where they mean the same. Names are the same in whatever
 * spelling of Unicode, and classes at the end of `expected` may be missing in `found`.
 */
export function classDifference(expected: readonly string[], found: readonly string[]): string | undefined {
  const [one, other] = [expected, found].map((names) => names.map((name) => name.normalize('NFC'))) as [
    string[],
    string[],
  ];
  const rank = other.findIndex((name, i) => name !== one[i]);
  if (rank < 0) return undefined;
  const more = without(other, one);
  const missing = without(one, other);
  const parts = [
    ...(more.length > 0 ? [`classes that are only there: ${list(more, missing)}`] : []),
    ...(missing.length > 0 ? [`classes that are missing: ${list(missing, more)}`] : []),
  ];
  if (parts.length > 0) return parts.join('; ');
  return `the same classes in another order, from number ${rank} on: ${list([other[rank]!], one)}, not ${list([one[rank]!], other)}`;
}

function without(names: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return names.filter((name) => !known.has(name));
}

/** Names; with their characters written out where one among `others` looks alike. */
function list(names: readonly string[], others: readonly string[]): string {
  const alike = new Set(others.map(looks));
  const texts = names.slice(0, shown).map((name) => {
    const isAlike = others.some((other) => other !== name) && alike.has(looks(name)) && !others.includes(name);
    return isAlike ? `"${codePoints(name)}"` : name;
  });
  return `${texts.join(', ')}${names.length > shown ? `, and ${names.length - shown} more` : ''}`;
}

/** What two names that are easily taken for one another have in common: compatible forms, case and blanks are left aside. */
function looks(name: string): string {
  return name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\p{C}\s]+/gu, '');
}

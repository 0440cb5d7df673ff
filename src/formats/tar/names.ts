/** The key of a sample, and what its member is: the ending, without the dot. */
export interface Parted {
  readonly key: string;
  readonly ending: string;
}

/** As the Python package `webdataset` parts a name: at the first dot behind the last slash. Nothing for a hidden name, and one without an ending. */
export function splitName(name: string): Parted | undefined {
  return parted(name, name.indexOf('.', baseAt(name)));
}

/** Parts a name at its last dot: `v1.0.jpg` as `v1.0` and `jpg`. */
export function splitLast(name: string): Parted | undefined {
  return parted(name, name.lastIndexOf('.'));
}

/** Whether the last part of a name begins with a dot, as `._0.jpg`, which is none of a sample. */
export function isHiddenName(name: string): boolean {
  return name[baseAt(name)] === '.';
}

/** The same name in another spelling: `./a` and `a`, accents as one character or as two. */
export function sameName(name: string): string {
  const plain = name.startsWith('./') ? name.replace(/^(\.\/+)+/, '') : name;
  return plain.normalize('NFC');
}

function baseAt(name: string): number {
  return name.lastIndexOf('/') + 1;
}

function parted(name: string, dot: number): Parted | undefined {
  if (dot <= baseAt(name)) return undefined;
  return { key: name.slice(0, dot), ending: name.slice(dot + 1).toLowerCase() };
}

/** Names of up to 9,999 further parts of a sample sort in their order. */
const partDigits = 4;

/**
 * The key of a sample in a tar: its position, the number of its part where it is one of several, and what of its own key is letters and digits of
 * ASCII. It has no dot, sorts in the order of writing, and no two are the same.
 */
export function memberKey(key: string, position: number, part: number): string {
  const slug = key
    .replace(/\.\w{1,5}(?=(#\d+)?(\/\d+)*$)/, '')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  const number = `${String(position).padStart(9, '0')}${part === 0 ? '' : `_${String(part).padStart(partDigits, '0')}`}`;
  return slug === '' ? number : `${number}-${slug}`;
}

import { relative, sep } from 'node:path';

/** A place in a file (or on the command line, which has no lines): line and column from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** Keys and indices from the root of a pipeline to one value, with the names of stages and sources among them: `['stages', 1, 'windows', 'patch']`. */
export type Path = readonly (string | number)[];

/** A value of a YAML file that still knows where it stands. Bases are merged as nodes, so a place points into the file that wrote the value. */
export type Node = MapNode | ListNode | ScalarNode;

interface Located {
  readonly place: Place;
  /** Where the key stands, for a value of a map. */
  readonly key?: Place;
}

export interface MapNode extends Located {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Node>;
}

export interface ListNode extends Located {
  readonly kind: 'list';
  readonly items: readonly Node[];
}

export interface ScalarNode extends Located {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** Whether nothing is written: a key without a value, which is `null` too. */
  readonly isEmpty?: true;
}

/** The node at `path`, or the deepest one on the way there: what is missing is reported at its parent. */
export function nodeAt(root: Node, path: Path): { readonly node: Node; readonly depth: number } {
  let node = root;
  for (let depth = 0; depth < path.length; depth++) {
    const next = child(node, path[depth]!);
    if (next === undefined) return { node, depth };
    node = next;
  }
  return { node, depth: path.length };
}

/** The place of the value at `path`; of the parent's key where there is no such value. With `key`, the place of its key. */
export function placeAt(root: Node, path: Path, key = false): Place {
  const { node, depth } = nodeAt(root, path);
  return key || depth < path.length ? (node.key ?? node.place) : node.place;
}

/** The value below a node by key or index. The name of an option for which a list stands alone, `mixture: [ … ]`, leads to the list. */
export function child(node: Node, key: string | number): Node | undefined {
  if (node.kind === 'map') return node.entries.get(String(key));
  if (node.kind === 'list' && typeof key === 'string') return node;
  return node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined;
}

/** The plain value of a node. Own properties only, whatever a key is called. */
export function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]));
}

/** `pipelines/a.yaml:3:5`; the file as seen from the working directory when it lies below it. */
export function placeText({ file, line, column }: Place): string {
  return [shownFile(file), line, column].filter((part) => part !== undefined).join(':');
}

/** A file's name as it is shown: relative where that is shorter. */
export function shownFile(file: string): string {
  const near = relative(process.cwd(), file);
  return near === '' || near.startsWith('..') || !file.startsWith(sep) ? file : near;
}

/** `stages[2] windows` or `train.batch`: a path for people, where there is no line and column. */
export function pathText(path: Path): string {
  let text = '';
  for (const [i, part] of path.entries()) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (typeof path[i - 1] === 'number') text += ` ${part}`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

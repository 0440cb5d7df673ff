import {
  type Alias,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  Parser,
  parseDocument,
  Scalar,
  type YAMLMap,
} from 'yaml';
import { counted } from '../../counts.ts';
import { fail, firstLine } from '../../errors.ts';
import type { Problem } from '../problem.ts';
import type { MapNode, Node, Place } from './locate.ts';
import { placeText } from './locate.ts';

/** A pipeline file is written by hand: what is larger or deeper than this is a mistake, or an attack. */
export const limits = { bytes: 1 << 20, depth: 64, nodes: 50_000 } as const;

// Keys that mean something to JavaScript objects; no option has such a name.
const treacherous: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads YAML text to nodes that keep their places. Every problem is collected: syntax, warnings (unknown tags among them), duplicate
 * keys, control characters, and documents that are too deep or grow too large through their aliases. `root` is absent when nothing
 * can be made of the text.
 */
export function readDocument(text: string, file: string): { root?: Node; problems: Problem[] } {
  const lines = new LineCounter();
  const problems: Problem[] = [];
  const report = (found: string, offset: number, advice: string) => {
    const { line, col } = lines.linePos(offset);
    const place = { file, line, column: col };
    problems.push({ error: fail('PIPELINE_YAML', { found, advice }, { where: placeText(place) }), place });
  };
  const reader: Reader = { file, lines, report, nodes: 0, full: false, anchors: new Map(), named: new Set() };
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  lines.lineStarts.unshift(0);
  const control = text.search(/[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u);
  if (control !== -1) {
    report(
      `the character ${text.codePointAt(control)!}`,
      control,
      'Save the file as UTF-8 text without control characters.',
    );
    return { problems };
  }
  const deep = tooDeep(text);
  if (deep !== undefined) {
    report(`more than ${counted(limits.depth, 'level')}`, deep, 'Write it flatter.');
    return { problems };
  }
  // yaml compares every key of a map with all before it, which takes minutes for many: `entriesOf` does it.
  const document = parseDocument(text, { uniqueKeys: false, prettyErrors: false });
  const broken = document.errors.filter(({ code }) => !repairable.has(code));
  const telling = document.errors.filter(({ code }) => repairable.has(code));
  // After the first break the parser is out of step: what it says of the rest of the file, and what is left of the tree, is noise.
  for (const { code, message, pos } of [...broken.slice(0, 1), ...telling, ...document.warnings]) {
    const unquoted = text[pos[0] - 1] === '$' && text[pos[0]] === '{';
    report(
      firstLine(message).replace(/[.:]$/, ''),
      pos[0],
      unquoted ? 'Between brackets a reference needs quotes.' : (advices[code] ?? 'Fix the line.'),
    );
  }
  if (broken.length > 0) return { problems };
  if (document.contents === null) {
    if (problems.length === 0) report('an empty file', 0, 'Begin with `source:` and `stages:`.');
    return { problems };
  }
  const root = toNode(document.contents, reader, 0);
  return { root, problems };
}

// Errors that leave the tree whole.
const repairable: ReadonlySet<string> = new Set(['TAG_RESOLVE_FAILED', 'BAD_ALIAS']);

const advices: Readonly<Record<string, string>> = {
  TAG_RESOLVE_FAILED: 'Leave the tag out.',
  MULTIPLE_DOCS: 'Write one pipeline per file.',
  TAB_AS_INDENT: 'Indent with spaces.',
  BAD_INDENT: 'Line it up with its neighbours.',
};

interface Reader {
  readonly file: string;
  readonly lines: LineCounter;
  readonly report: (found: string, offset: number, advice: string) => void;
  nodes: number;
  full: boolean;
  /** The node that each anchor names by now: yaml's own look-up walks the whole document for every alias. */
  readonly anchors: Map<string, ParsedNode>;
  /** Anchored nodes that were met: one that an alias spells out again names nothing anew. */
  readonly named: Set<ParsedNode>;
}

/**
 * The offset of the first collection that lies deeper than the limit. Asked of yaml's flat pass before its second one runs, which recurses
 * and, near the end of the stack, does not throw but ends the process.
 */
function tooDeep(text: string): number | undefined {
  const open: { token: CST.Token; depth: number }[] = [...new Parser().parse(text)].map((token) => ({
    token,
    depth: 0,
  }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { token, depth } = next;
    if (depth > limits.depth) return token.offset;
    const inner =
      token.type === 'document'
        ? [token.value]
        : 'items' in token
          ? token.items.flatMap((item) => [item.key, item.value])
          : [];
    for (const below of inner) if (below) open.push({ token: below, depth: depth + 1 });
  }
  return undefined;
}

function toNode(yaml: ParsedNode | Alias | null, reader: Reader, depth: number, key?: Place, offset = 0): Node {
  const start = yaml?.range?.[0] ?? offset;
  const place = placeOf(start, reader);
  const located = key === undefined ? { place } : { place, key };
  const nothing: Node = { kind: 'scalar', value: null, isEmpty: true, ...located };
  if (yaml === null || reader.full) return nothing;
  if (++reader.nodes > limits.nodes || depth > limits.depth) {
    reader.full = true;
    const found =
      depth > limits.depth
        ? `more than ${counted(limits.depth, 'level')}`
        : `more than ${counted(limits.nodes, 'value')}, aliases spelt out`;
    reader.report(found, start, 'Write it smaller.');
    return nothing;
  }
  if (!isAlias(yaml) && yaml.anchor !== undefined && !reader.named.has(yaml)) {
    reader.anchors.set(yaml.anchor, yaml);
    reader.named.add(yaml);
  }
  if (isAlias(yaml)) {
    const target = reader.anchors.get(yaml.source);
    // One that holds itself ends at the depth limit.
    if (target === undefined) {
      reader.report(
        `*${yaml.source}, which names nothing above it`,
        start,
        'Name an anchor `&name` that comes before it.',
      );
      return nothing;
    }
    return { ...toNode(target, reader, depth + 1), ...located };
  }
  if (isMap(yaml)) return { kind: 'map', entries: entriesOf(yaml, reader, depth), ...located };
  if (isSeq(yaml)) {
    const items = yaml.items.map((item) => toNode(item as ParsedNode | null, reader, depth + 1, undefined, start));
    return { kind: 'list', items, ...located };
  }
  return scalar(yaml, located, reader, start);
}

function scalar(yaml: Scalar, located: { place: Place; key?: Place }, reader: Reader, start: number): Node {
  const { value } = yaml;
  if (value !== null && !['string', 'number', 'boolean'].includes(typeof value)) {
    reader.report(`a value of type ${typeof value}`, start, 'Write text, a number, true or false.');
  }
  return {
    kind: 'scalar',
    value: value as string | number | boolean | null,
    ...(yaml.source === '' && value === null && { isEmpty: true }),
    ...located,
  };
}

function entriesOf(map: YAMLMap, reader: Reader, depth: number): Map<string, Node> {
  const own = new Map<string, Node>();
  const merged = new Map<string, Node>();
  for (const { key, value } of map.items) {
    const start = (key as ParsedNode | null)?.range?.[0] ?? map.range?.[0] ?? 0;
    const node = toNode(value as ParsedNode | null, reader, depth + 1, placeOf(start, reader), start);
    if (!isScalar(key) || typeof key.value === 'object') {
      reader.report('a key that is no plain name', start, 'Write a name before the colon.');
    } else if (key.value === '<<' && key.type === Scalar.PLAIN) mergeInto(merged, node, start, reader);
    else if (treacherous.has(String(key.value))) reader.report(`the key ${key.value}`, start, 'Leave it out.');
    else if (own.has(String(key.value))) reader.report('Map keys must be unique', start, 'Keep one of the two.');
    else own.set(String(key.value), node);
  }
  // What a map says itself goes before what it merges in, wherever `<<` stands.
  for (const [name, node] of merged) if (!own.has(name)) own.set(name, node);
  return own;
}

function mergeInto(merged: Map<string, Node>, node: Node, start: number, reader: Reader): void {
  for (const base of node.kind === 'list' ? node.items : [node]) {
    if (base.kind !== 'map')
      reader.report('a merge key of something else than a map', start, 'Name a map: `<<: *base`.');
    else for (const [inner, value] of base.entries) if (!merged.has(inner)) merged.set(inner, value);
  }
}

function placeOf(offset: number, { file, lines }: Reader): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line, column: col };
}

/** Keys whose values name a source, sink or model by a key of their own. */
const carriers: ReadonlySet<string> = new Set(['source', 'sink', 'model', 'on', 'reference']);

/**
 * A file's nodes over those of a base: maps are merged, everything else (lists too) is replaced, and what the file says is null is taken out
 * of the base, at every depth. Places stay those of the file that wrote the value.
 */
export function layOver(base: Node, over: Node, key?: string): Node {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const entries = new Map(base.entries);
  for (const [name, node] of over.entries) {
    const below = entries.get(name);
    if (below === undefined) entries.set(name, node);
    else if (node.kind === 'scalar' && node.value === null) entries.delete(name);
    else entries.set(name, layOver(below, node, name));
  }
  // `sink: { images: null }` names a sink without options, where no other takes its place.
  const isBare = key !== undefined && carriers.has(key) && entries.size === 0;
  return { ...over, entries: isBare ? over.entries : entries } satisfies MapNode;
}

/** Whether an item of a list is a name with its options, as a stage is; a map of several keys is options itself. */
function isName(item: Node): boolean {
  return item.kind === 'map' && item.entries.size === 1;
}

/**
 * A file's nodes without what it says is `null`, as `--set` takes it out, whether or not a base has said something there. A key whose value was forgotten stays, to be reported, and so
 * does a name without options: `sink: { images: null }`.
 */
export function withoutNulls(node: Node, isNamed = false): Node {
  if (node.kind === 'list') return { ...node, items: node.items.map((item) => withoutNulls(item, isName(item))) };
  if (node.kind !== 'map') return node;
  const kept = [...node.entries].filter(
    ([, inner]) => isNamed || inner.kind !== 'scalar' || inner.value !== null || inner.isEmpty,
  );
  return { ...node, entries: new Map(kept.map(([key, inner]) => [key, withoutNulls(inner, carriers.has(key))])) };
}

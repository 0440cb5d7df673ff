import { counted } from '../counts.ts';
import { printable } from '../errors.ts';
import type { Description, Link, MemoryPart } from './describe.ts';
import { shownFile } from './file/locate.ts';
import { policyOptions } from './file/policy.ts';
import { type JsonSchema, jsonSchema, typeText } from './options.ts';
import type { Registry } from './registry.ts';

/** A description as aligned text. */
export function drawText(description: Description): string {
  const { name, seed, output, chain, memory, model, train, evaluate, track } = description;
  const width = Math.max(...chain.map(({ id }) => id.length), 6);
  const lines = [`${name}   seed ${seed}   output ${shownFile(output)}`, ''];
  for (const { id, options, gives, guess } of chain) {
    lines.push(`${id.padEnd(width)}  ${optionsText(options)}`.trimEnd());
    if (gives.length > 0)
      lines.push(
        `${' '.repeat(width)}    ↓ ${gives.join('   ')}${guess ? '   (a guess: a stage before it may change it)' : ''}`,
      );
  }
  if (model)
    lines.push('', `model   ${counted(model.parameters, 'parameter')}, ${grouped(model.macs)} multiply-adds per image`);
  lines.push('', ...memory.map((part, i) => `${i === 0 ? 'memory' : '      '}  ${memoryText(part)}`));
  for (const [title, section] of Object.entries({ train, evaluate, track })) {
    if (section !== undefined) lines.push('', title, ...tree(section, 1));
  }
  return `${lines.map(printable).join('\n')}\n`;
}

function memoryText({ what, count, bytes }: MemoryPart): string {
  if (bytes === undefined) return `${grouped(count)} × ${what}`;
  return `${grouped(count)} × ${sizeText(bytes)} = ${sizeText(count * bytes)}, ${what}`;
}

/** `10.2 KiB` */
export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

function optionsText(options: unknown): string {
  if (typeof options !== 'object' || options === null) return '';
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return entries.map(([key, value]) => `${key} ${inline(value)}`).join('  ');
}

function inline(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function tree(value: unknown, depth: number): string[] {
  const entries = Object.entries(value as object).filter(([, inner]) => inner !== undefined);
  const width = Math.max(0, ...entries.map(([key]) => key.length));
  return entries.map(([key, inner]) => `${'  '.repeat(depth)}${key.padEnd(width)}  ${inline(inner)}`);
}

/** A description as a Mermaid flow chart, shapes on its edges. Texts are quoted: nothing in them is read as Mermaid or HTML. */
export function drawMermaid({ chain }: Description): string {
  const lines = ['flowchart LR'];
  const shape: Readonly<Record<Link['kind'], readonly [string, string]>> = {
    source: ['[(', ')]'],
    stage: ['[', ']'],
    sink: ['[/', '/]'],
    model: ['[[', ']]'],
  };
  for (const [i, { kind, id }] of chain.entries()) {
    const [open, close] = shape[kind];
    lines.push(`  n${i}${open}"${quoted(id)}"${close}`);
  }
  for (const [i, { gives }] of chain.slice(0, -1).entries()) {
    lines.push(`  n${i} -->${gives.length > 0 ? `|"${gives.map(quoted).join('<br/>')}"|` : ''} n${i + 1}`);
  }
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return printable(text).replace(/[&"<>#;]/g, (char) => `#${char.charCodeAt(0)};`);
}

/** What one option is, for a table. */
export interface OptionRow {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly about: string;
}

/** The options of a schema as rows: nested maps are `outer.inner`. */
export function optionRows(schema: JsonSchema, prefix = ''): OptionRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => {
    const name = `${prefix}${key}`;
    const must = schema.required?.includes(key) ? 'required' : '';
    const row = {
      name,
      type: typeText(inner),
      default: inner.default === undefined ? must : inline(inner.default),
      about: inner.description ?? '',
    };
    if (inner.properties) return [{ ...row, type: 'a map' }, ...optionRows(inner, `${name}.`)];
    // A map, or something else: its own options follow too.
    const maps = (inner.anyOf ?? []).filter(({ properties }) => properties !== undefined);
    // Measures in a list are told where each stands alone.
    const items = typeof inner.items === 'object' ? inner.items : {};
    const simple = Object.values(items.properties ?? {}).every(({ properties }) => properties === undefined);
    if (simple) return [row, ...maps.flatMap((map) => optionRows(map, `${name}.`)), ...optionRows(items, `${name}[].`)];
    return [row, ...maps.flatMap((map) => optionRows(map, `${name}.`))];
  });
}

/** The documentation of anything that a pipeline can name, from its schema; undefined when there is no such name. */
export function drawNamed(name: string, registry: Registry): string | undefined {
  const { stages, sources, sinks, models, measures, trackers } = registry;
  const kinds = { stage: stages, source: sources, sink: sinks, model: models, measure: measures, tracker: trackers };
  const pages = Object.entries(kinds).flatMap(([kind, known]) => {
    const definition = known.get(name);
    if (definition === undefined) return [];
    const rows = optionRows(jsonSchema(definition.options));
    const policy = kind === 'stage' ? optionRows(jsonSchema(policyOptions)) : [];
    const needs =
      'output' in definition
        ? [`needs ${definition.needs.join(', ') || 'nothing'}${definition.random ? '; draws from chance' : ''}`]
        : [];
    const short =
      'shorthand' in definition && definition.shorthand
        ? [`\`${name}: value\` is short for \`${name}: { ${definition.shorthand}: value }\``]
        : [];
    const own = rows.length > 0 ? table(rows) : ['no options'];
    const every = policy.length > 0 ? ['', 'and, as every stage:', '', ...table(policy)] : [];
    return [[`${name} (${kind})`, definition.summary, ...needs, ...short, '', ...own, ...every].join('\n')];
  });
  return pages.length > 0 ? `${pages.join('\n\n')}\n` : undefined;
}

function table(rows: readonly OptionRow[]): string[] {
  const wide = (pick: (row: OptionRow) => string) => Math.max(...rows.map((row) => pick(row).length));
  const [name, type, standard] = [
    wide((row) => row.name),
    Math.min(
      44,
      wide((row) => row.type),
    ),
    Math.min(
      24,
      wide((row) => row.default),
    ),
  ];
  return rows.map((row) =>
    `  ${row.name.padEnd(name)}  ${row.type.padEnd(type)}  ${row.default.padEnd(standard)}  ${row.about}`.trimEnd(),
  );
}

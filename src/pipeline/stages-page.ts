// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references in pipeline files look like templates
import { optionRows } from './draw.ts';
import { evaluateOptions } from './evaluate.options.ts';
import { policyOptions } from './file/policy.ts';
import { type Described, type Part, parts } from './file/schema.ts';
import { settings } from './file/settings.ts';
import { type JsonSchema, jsonSchema } from './options.ts';
import type { Registry } from './registry.ts';
import { trainOptions } from './train.options.ts';

/** The page `docs/stages.md`: everything a pipeline file can name, with its options. */
export function stagesPage(registry: Registry): string {
  const section = (title: string, list: readonly Described[]) =>
    list.length === 0
      ? []
      : [
          `## ${title}`,
          '',
          ...list.flatMap((one) => [`### \`${one.name}\``, '', one.summary, '', ...markdown(one), '']),
        ];
  return [
    '# Stages, sources, sinks, models and trackers',
    '',
    'What a pipeline file can name: [its parts](#the-file), [sources](#sources), [stages](#stages), [sinks](#sinks), [models](#models), [trackers](#trackers), and the options of',
    '[train](#train) and [evaluate](#evaluate). This page is made by `npm run schema` from the options; `patchstream describe <name>` prints the same for a source, stage, sink, model, measure or tracker. For completion',
    'in editors that speak the YAML language server, begin a file with `# yaml-language-server: $schema=<path to patchstream>/schema/pipeline.schema.json`.',
    '',
    '## The file',
    '',
    ...fileTable(),
    '',
    'A source, stage, sink, model or tracker is written as its name, `decode`, or as a map of its name and its options, `resize: { size: 100 }`. Relative paths start',
    'at the file that they are in. `${NAME}` is an environment variable, `${NAME:-default}` supplies a default if it is not set.',
    '',
    'On the command line `--set train.steps=100` lays a value over the file, `--set stages.mask.ratio=0.5` over a stage, by name or by number from 0. `null` takes',
    'out what it names: an option, a stage (`--set stages.random-flip=null`) or a part (`--set evaluate=null`; also `sink`, `train` and `track`). Relative paths start at the',
    'working directory there.',
    '',
    ...section('Sources', [...registry.sources.values()]),
    ...section('Stages', [...registry.stages.values()]),
    '### Options of every stage',
    '',
    ...rowsOf(jsonSchema(policyOptions)),
    '',
    ...section('Sinks', [...registry.sinks.values()]),
    ...section('Models', [...registry.models.values()]),
    ...section('Trackers', [...registry.trackers.values()]),
    '## `train`',
    '',
    ...rowsOf(jsonSchema(trainOptions), linked),
    '',
    '## `evaluate`',
    '',
    ...rowsOf(jsonSchema(evaluateOptions(registry.measures)), linked),
    '',
  ].join('\n');
}

/** Every key that may stand at the top. The settings have all a default: of some the text says it, as it hangs on others. */
function fileTable(): string[] {
  const rows = Object.entries<Part>(parts).map(
    ([key, { takes, default: must = '', about, more }]) =>
      `| \`${key}\` | ${takes} | ${must} | ${[about, more].filter((text) => text !== undefined).join(' ')} |`,
  );
  const [head, line, ...own] = rowsOf(jsonSchema(settings.partial()));
  return [head!.replace('option', 'key'), line!, ...rows, ...own];
}

function markdown({ name, shorthand, options }: Described): string[] {
  const short =
    shorthand === undefined ? [] : [`\`${name}: value\` is short for \`${name}: { ${shorthand}: value }\`.`, ''];
  return [...short, ...rowsOf(jsonSchema(options))];
}

/** What options take that the schemas of `train` and `evaluate` leave open, as the registry says what there is. */
const linked: Readonly<Record<string, string>> = {
  model: 'one of the [models](#models)',
  source: 'one of the [sources](#sources)',
  on: 'a folder, or one of the [sources](#sources)',
  reference: 'a folder, or one of the [sources](#sources)',
  stages: 'a list of [stages](#stages)',
};

/** @param takes what is said in the place of a schema, by the last part of an option's name. */
function rowsOf(schema: JsonSchema, takes: Readonly<Record<string, string>> = {}): string[] {
  const rows = optionRows(schema);
  if (rows.length === 0) return ['No options.'];
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
  const known = (name: string) => (name.includes('.limit.') ? undefined : takes[name.split('.').at(-1)!]);
  return [
    '| option | takes | default | |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      (row) =>
        `| \`${row.name}\` | ${known(row.name) ?? cell(row.type)} | ${row.default === '' ? '' : cell(row.default)} | ${cell(row.about)} |`,
    ),
  ];
}

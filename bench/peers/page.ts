import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isAbsentRow, type PeerAbsent, type PeerComparison, type PeerRow } from './peer-row.ts';

/** What the numbers were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly date: string;
}

const command = 'npm run bench -- peers';
/** Where we mean to be: ahead of the best loader by this, and of compiled PyTorch by this. */
const goals = { loader: 2, step: 1 };
const variants = [
  'PyTorch eager, float32',
  'PyTorch compiled, float32',
  'PyTorch eager, bfloat16',
  'PyTorch compiled, bfloat16',
];

/** docs/results.md and README.md with the tables of these rows between their marks. */
export function pageOf(rows: readonly PeerRow[], machine: Machine): Record<string, string> {
  const files = { 'docs/results.md': resultsSection(rows, machine), 'README.md': chiefSection(rows, machine) };
  return Object.fromEntries(
    Object.entries(files).map(([name, section]) => {
      const path = fileURLToPath(new URL(`../../${name}`, import.meta.url));
      return [name, withSection(readFileSync(path, 'utf8'), 'peers', section)];
    }),
  );
}

/** The text with what lies between `<!-- name -->` and `<!-- /name -->` replaced. @throws Error where a mark is missing. */
export function withSection(text: string, name: string, section: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [first, last] = [text.indexOf(begin), text.indexOf(end)];
  if (first < 0 || last < first) throw new Error(`There is no ${begin} … ${end} to put the table into.`);
  return `${text.slice(0, first + begin.length)}\n${section.trim()}\n${text.slice(last)}`;
}

/** Both tables, what is missing, and where the goals are not met. */
export function resultsSection(rows: readonly PeerRow[], machine: Machine): string {
  const [compared, absent] = split(rows);
  const loaders = compared.filter(({ kind }) => kind === 'loader');
  const steps = compared.filter(({ kind }) => kind === 'step');
  return [
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, Node.js ${machine.node}; \`${command}\`. Each side in processes of its own that are paused while another has its turn; the ratio is the`,
    'median of the rounds (least to largest in brackets), above 1 where ours is faster.',
    ...(loaders.length === 0 ? [] : ['', ...loaderTable(loaders, machine)]),
    ...(steps.length === 0 ? [] : ['', ...stepTable(steps, machine)]),
    ...(absent.length === 0
      ? []
      : [
          '',
          'Not measured:',
          '',
          ...absent.map(
            ({ peer, what, missing }) => `- ${what.includes(peer) ? what : `${what}, ${peer}`}: ${missing}`,
          ),
        ]),
    ...behind(compared),
  ].join('\n');
}

/** The five chief rows. */
export function chiefSection(rows: readonly PeerRow[], machine: Machine): string {
  const [compared] = split(rows);
  const loaders = compared.filter(({ kind }) => kind === 'loader');
  const jpeg = fastest(loaders.filter(({ peer }) => !peer.includes('raw')));
  const raw = loaders.find(({ peer }) => peer.includes('raw 256'));
  const steps = ['bfloat16', 'float32'].flatMap((precision) =>
    ['lomar small', 'mae small', 'srmae small'].map((model) => ({
      precision,
      row: bestPair(compared, model, (peer) => peer.endsWith(precision)),
    })),
  );
  const days = unique(compared.map((row) => dayOf([row], machine))).sort();
  const lines = [
    ...(jpeg === undefined ? [] : [chiefLine('random crops from JPEGs, batches of 64 that are lent', jpeg)]),
    ...(raw === undefined ? [] : [chiefLine('random crops from raw records of 256 px', raw)]),
    ...steps.flatMap(({ precision, row }) =>
      row === undefined ? [] : [chiefLine(`one step of ${title(row.model ?? '')}, micro-batch 16, ${precision}`, row)],
    ),
  ];
  return [
    `| on ${machine.cores} cores (${machine.cpu}, ${days.join(' and ')}) | ours | the fastest other | ratio |`,
    '| --- | --- | --- | --- |',
    ...lines,
    '',
    `\`${command}\` repeats them; [docs/results.md](docs/results.md) has all rows.`,
  ].join('\n');
}

function chiefLine(what: string, { ours, theirs, unit, ratio, version, peer }: PeerComparison): string {
  const how = version.startsWith('PyTorch')
    ? `${short(version)} ${peer.slice('PyTorch '.length).replace(/, \w+$/, '')}`
    : short(version);
  return `| ${what} | ${figure(ours)} ${unit} | ${figure(theirs)} ${unit}, ${how} | ${ratio.toFixed(2)} |`;
}

function split(rows: readonly PeerRow[]): [PeerComparison[], PeerAbsent[]] {
  return [rows.filter((row) => !isAbsentRow(row)) as PeerComparison[], rows.filter(isAbsentRow)];
}

function loaderTable(rows: readonly PeerComparison[], machine: Machine): string[] {
  return [
    `Loader, ${dayOf(rows, machine)}: random crops to 224 × 224 and flips, batches of 64, images/s; from 1,024 JPEGs of 48 KB, or from raw records where the row says so. Ours lends its batches; in brackets as new arrays.`,
    '',
    '| against | ours | theirs | ratio | its best setting; pixels |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(
      (row) =>
        `| ${row.peer} (${short(row.version)}) | ${figure(row.ours)} (${figure(row.owned ?? Number.NaN)}) | ${figure(row.theirs)} | ${ratioOf(row)} | ${row.more ?? ''} |`,
    ),
  ];
}

function stepTable(rows: readonly PeerComparison[], machine: Machine): string[] {
  const engines = unique(rows.map(({ engine }) => engine ?? ''));
  const models = unique(rows.map(({ model }) => model ?? ''));
  const version = rows[0]?.version ?? '';
  const own = ['float32', 'bfloat16'].flatMap((precision) => engines.map((engine) => ({ engine, precision })));
  const times = [
    `Step, ${dayOf(rows, machine)}: milliseconds of one step of a micro-batch of 16 at 224 px (forward, backward, AdamW); ${short(version)}. bfloat16 is its autocast, and ours in bfloat16 its peer.`,
    '',
    `| | ${own.map(({ engine, precision }) => `ours, ${engine}, ${precision}`).join(' | ')} | ${variants.map((peer) => peer.slice('PyTorch '.length)).join(' | ')} |`,
    `| --- |${' --- |'.repeat(own.length + variants.length)}`,
    ...models.map((model) => {
      const times = own.map(
        ({ engine, precision }) =>
          rows.find((row) => row.model === model && row.engine === engine && (row.precision ?? 'float32') === precision)
            ?.ours,
      );
      const theirs = variants.map((peer) => rows.find((row) => row.model === model && row.peer === peer)?.theirs);
      return `| ${title(model)} | ${[...times, ...theirs].map((ms) => (ms === undefined ? '' : figure(ms))).join(' | ')} |`;
    }),
  ];
  const ratios = [
    'The same as ratios, of the faster of our engines (which is named):',
    '',
    `| | ${variants.map((peer) => peer.slice('PyTorch '.length)).join(' | ')} |`,
    `| --- |${' --- |'.repeat(variants.length)}`,
    ...models.map((model) => {
      const cells = variants.map((peer) => {
        const row = bestPair(rows, model, (each) => each === peer);
        return row === undefined ? '' : `${ratioOf(row)}, ${(row.engine ?? '').replace('libtorch ', '')}`;
      });
      return `| ${title(model)} | ${cells.join(' | ')} |`;
    }),
  ];
  return [...times, '', ...ratios];
}

/** Both sides computed in the same. */
const isOfOnePrecision = ({ peer, precision = 'float32' }: PeerComparison) => peer.endsWith(precision);

/** The row of our faster engine against the faster of the peers that `takes` lets through. */
function bestPair(
  rows: readonly PeerComparison[],
  model: string,
  takes: (peer: string) => boolean,
): PeerComparison | undefined {
  const candidates = rows.filter((row) => row.model === model && takes(row.peer) && isOfOnePrecision(row));
  const theirs = Math.min(...candidates.map((row) => row.theirs));
  return candidates.filter((row) => row.theirs === theirs).sort((a, b) => a.ours - b.ours)[0];
}

function fastest(loaders: readonly PeerComparison[]): PeerComparison | undefined {
  return [...loaders].sort((a, b) => b.theirs - a.theirs)[0];
}

/** Where the goals are not met, and by how much. */
function behind(compared: readonly PeerComparison[]): string[] {
  const loaders = compared.filter(({ kind, ratio }) => kind === 'loader' && ratio < goals.loader);
  const models = unique(compared.flatMap(({ model }) => (model === undefined ? [] : [model])));
  const steps = models.flatMap((model) =>
    variants
      .filter((peer) => peer.includes('compiled'))
      .flatMap((each) => bestPair(compared, model, (peer) => peer === each) ?? [])
      .filter(({ ratio }) => ratio < goals.step),
  );
  if (loaders.length + steps.length === 0) return [];
  return [
    '',
    `Goals not met (loader ${goals.loader.toFixed(1)}×, step ${goals.step.toFixed(1)}× compiled PyTorch):`,
    '',
    ...loaders.map((row) => `- loader compared with ${row.peer}: ${row.ratio.toFixed(2)}`),
    ...steps.map(
      (row) =>
        `- ${title(row.model ?? '')} compared with ${row.peer}: ${row.ratio.toFixed(2)}, ${figure(row.ours - row.theirs)} ms of ${figure(row.ours)}`,
    ),
  ];
}

const ratioOf = ({ ratio, spread: [least, largest] }: PeerComparison) =>
  `${ratio.toFixed(2)} (${least.toFixed(2)}–${largest.toFixed(2)})`;

/** `torchvision 0.29.2` of `torchvision 0.29.2+cu132, torch 2.15.0+cu132`. */
const short = (version: string) => version.replace(/\+cu\d+/g, '').split(',')[0]!;

const title = (model: string) =>
  model.replace(/^\w+/, (name) => ({ lomar: 'LoMaR', mae: 'MAE', srmae: 'SRMAE' })[name] ?? name);

const figure = (value: number) =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);

/** When a table was measured. */
const dayOf = ([row]: readonly PeerComparison[], { date }: Machine) => row?.date ?? date;

const unique = (names: readonly string[]) => [...new Set(names)];

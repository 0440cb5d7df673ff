import { fail, printable } from '../../errors.ts';
import { escapeHtml, htmlText } from '../../html.ts';
import { type Comparison, compareRuns } from '../../runs/compare/compare.ts';
import { lineChart, stackedCharts } from '../../vision/draw/line-chart.ts';
import { type Command, exits } from '../command.ts';
import { type Forms, figureFiles, outputOption, writeFigures } from './output.ts';
import { tableHtml } from './panels.ts';
import { tableLines } from './table.ts';

const endings = ['.html', '.svg'] as const;

/** `patchstream compare <run…>` */
export const compare: Command = {
  name: 'compare',
  usage: '<run…>',
  summary:
    'Put trainings side by side, running, ended or killed: the options that differ, time, speed, losses and measures.',
  options: {
    output: { ...outputOption(endings), about: 'Draw it too: a page (.html) or its charts (.svg); may be repeated.' },
    json: { type: 'boolean', about: 'Print one object of JSON.' },
  },
  async run(given, { stdout, stderr }) {
    const folders = given.words;
    if (folders.length === 0) {
      const advice = `Write \`patchstream compare ${compare.usage}\`.`;
      throw fail('ARGUMENT', { command: 'patchstream compare', found: 'nothing', advice });
    }
    const files = given.list('output').length === 0 ? [] : await figureFiles(compare, given, { endings, of: '' });
    const comparison = await compareRuns(folders);
    await writeFigures(files, formsOf(comparison));
    if (given.flag('json')) stdout.write(`${JSON.stringify(jsonOf(comparison, files))}\n`);
    else {
      const table = [['', ...comparison.names], ...comparison.rows.map(({ title, cells }) => [title, ...cells])];
      stdout.write(`${[...tableLines(table, { numbers: true }), ...files].join('\n')}\n`);
      for (const note of comparison.notes) stderr.write(`${printable(note)}\n`);
    }
    return exits.ok;
  },
};

function formsOf({ names, rows, notes, charts }: Comparison): Forms {
  const drawn = () => charts.map((chart) => lineChart(chart));
  const title = 'Trainings side by side';
  return {
    '.html': () =>
      htmlText(title, [
        `<h1>${title}</h1>`,
        tableHtml(
          ['', ...names],
          rows.map(({ title, cells }) => [title, ...cells]),
        ),
        ...notes.map((note) => `<p>${escapeHtml(note)}</p>`),
        ...drawn().map((chart) => `<p>${chart}</p>`),
        '<p>Time is that in which a training took its steps, with what it waited for data and for measures.</p>',
      ]),
    '.svg': () => stackedCharts(drawn()),
  };
}

function jsonOf({ names, runs, rows, notes }: Comparison, files: readonly string[]): object {
  const listed = runs.map(
    ({ folder, model, rows, seconds, total, ended, imagesPerSecond, parameters, macs, evaluations }, i) => ({
      folder,
      name: names[i],
      model,
      steps: rows.length,
      total,
      ended,
      hours: (seconds.at(-1) ?? 0) / 3600,
      imagesPerSecond,
      parameters,
      macs,
      loss: rows.at(-1)?.loss,
      evaluations: evaluations.map(({ step, seconds, found }) => ({
        step,
        hours: seconds / 3600,
        measures: Object.fromEntries([...found].map(([id, { numbers }]) => [id, numbers])),
      })),
    }),
  );
  return { type: 'compare', runs: listed, table: rows, notes, files };
}

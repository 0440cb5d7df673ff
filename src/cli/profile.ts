import { printable } from '../errors.ts';
import { machineText } from '../machine.ts';
import { type Profile, profile as profilePipeline } from '../runs/profile.ts';
import { computeText } from '../train/flops.ts';
import { problemLines } from './check.ts';
import { type Command, exits, onlyWord, peakOf, peakOption, peakUnused, setOption } from './command.ts';
import { durationText } from './progress.ts';
import { readPipeline } from './read.ts';

/** `patchstream profile <pipeline>` */
export const profile: Command = {
  name: 'profile',
  usage: '<pipeline>',
  summary:
    'Predict images/s, memory, time of an epoch and the bottleneck from a few seconds of loader and trainer on their own.',
  options: {
    set: setOption,
    search: { type: 'boolean', about: 'Time the trainer at several micro-batches, and print options to paste.' },
    peak: peakOption,
    json: { type: 'boolean', about: 'Print one JSON value.' },
  },
  async run(given, terminal) {
    const { stdout, stderr } = terminal;
    const file = onlyWord(profile, given);
    const { resolved, problems } = await readPipeline(file, given.list('set'), terminal);
    for (const line of problemLines(problems)) stderr.write(`${line}\n`);
    if (resolved === undefined || problems.length > 0) return exits.usage;
    const line = (text: string) => stderr.write(`${printable(text)}\n`);
    const found = await profilePipeline(resolved, {
      search: given.flag('search'),
      line,
      ...peakOf(given),
    });
    if (found.trainer?.compute === undefined)
      peakUnused(given, 'it is not known how much a step of this pipeline computes', terminal);
    stdout.write(given.flag('json') ? `${JSON.stringify(found, null, 2)}\n` : profileText(found));
    return exits.ok;
  },
};

/** A profile for people. */
export function profileText(found: Profile): string {
  const { loader, trainer, search, imagesPerSecond, epochSeconds, count, memory } = found;
  const rate = (value: number) => `${Number(value.toPrecision(3))} images/s`;
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
  const files =
    loader.bytesPerImage > 0
      ? `, ${Math.round(loader.bytesPerImage / 1024)} KiB each, ${megabytes(loader.bytesPerImage * loader.imagesPerSecond)}/s`
      : '';
  const { stage, ms } = loader.slowest;
  const lines = [
    `loader     ${rate(loader.imagesPerSecond)}${files}; most of it in ${printable(stage)}, ${Number(ms.toPrecision(2))} ms`,
    ...(trainer === undefined
      ? []
      : [
          `trainer    ${rate(trainer.imagesPerSecond)} at micro-batch ${trainer.microBatch}, ${printable(trainer.backend)}`,
          ...(trainer.compute ? [`computing  ${computeText(trainer.compute, trainer.imagesPerSecond)}`] : []),
        ]),
    `together   ${rate(imagesPerSecond)}, an epoch of ${count} in ${durationText(epochSeconds)}, about ${megabytes(memory)}`,
    `bottleneck ${bottleneckText(found)}`,
    `machine    ${machineText(found.machine)}`,
  ];
  if (search !== undefined && trainer !== undefined) {
    lines.push(
      '',
      ...search.map(
        (each) =>
          `  micro-batch ${String(each.microBatch).padStart(5)}  ${each.imagesPerSecond === undefined ? 'no memory' : rate(each.imagesPerSecond)}`,
      ),
    );
    lines.push('', 'train:', `  microBatch: ${trainer.microBatch}`);
  }
  return `${lines.join('\n')}\n`;
}

function bottleneckText({ bottleneck, loader, trainer, imagesPerSecond }: Profile): string {
  const busy = (part: number) => `${Math.round((100 * imagesPerSecond) / part)} %`;
  if (trainer === undefined) return `the loader, in ${printable(loader.slowest.stage)}`;
  if (bottleneck === 'trainer')
    return `the trainer, as it should be; the loader is ${busy(loader.imagesPerSecond)} busy`;
  if (bottleneck === 'loader')
    return `the loader, in ${printable(loader.slowest.stage)}; the trainer is ${busy(trainer.imagesPerSecond)} busy`;
  return 'the cores, which loader and trainer share';
}

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from '../peers/row.ts';
import { type Bench, cores } from './bench.ts';
import { recordAt, recordCuts, recordPicture, renderFile, shuffled, side } from './ours.ts';
import { alternate, bestOf, type Turn } from './pairs.ts';
import { alikeOnly, meansOf, tellPixels } from './pixels.ts';

/** What is compared with copying and resizing by others. */
interface Compared {
  /** Different records that lie in memory: [n, recordSide, recordSide, 3]. */
  readonly records: Uint8Array;
  readonly recordSide: number;
  /** Crops that a turn makes. */
  readonly count: number;
  readonly ours: Turn;
}

/**
 * Random resized crops of raw records beside a copy of each and a resize by OpenCV or Pillow, on one process for each core or on one, whichever is the
 * fastest of those whose pixels are alike.
 */
export async function againstCopyAndResize(
  bench: Bench,
  { records, recordSide, count, ours }: Compared,
): Promise<Omit<Row, 'what'>> {
  const python = await bench.python();
  const [path, made] = [join(bench.folder, 'records.rgb'), join(bench.folder, 'ours.rgb')];
  writeFileSync(path, records);
  const cuts = recordCuts(records.length / recordSide ** 2 / 3, recordSide);
  const compared = cuts.slice(0, 64);
  await renderFile(
    compared.map((cut, i) => ({ picture: recordPicture(recordAt(records, i, recordSide), recordSide, cut) })),
    made,
  );
  const request = { path, side: recordSide, size: side };
  const means = meansOf(await python.ask({ differ_records: { ...request, boxes: compared, files: { ours: made } } }));
  const order = [...shuffled(cuts.length)];
  const turn = async (way: { how: string; processes: number }, count: number) =>
    Number((await python.ask({ records: { ...request, boxes: cuts, order, ...way, count } })).ms);
  const ways = alikeOnly(processesFor(python.hello.records as string[]), means);
  const way = await bestOf(ways, (way) => turn(way, 2 * cuts.length), 1);
  const speed = await alternate({ ours, theirs: () => turn(way, count), images: count });
  return { ...speed, more: `${way.how}, ${way.processes} processes, a copy of each record; ${tellPixels(means)}` };
}

/** Each on one process for each core, and on one. */
export function processesFor(hows: readonly string[]): { how: string; processes: number }[] {
  return hows.flatMap((how) => [...new Set([1, cores])].map((processes) => ({ how, processes })));
}

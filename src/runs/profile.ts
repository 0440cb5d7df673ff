import { awake } from '../awake-clock.ts';
import { divisorsOf } from '../balance/tune-micro-batch.ts';
import { coreCount, type Machine, machine } from '../machine.ts';
import type { HostBatch } from '../models/model.ts';
import type { Resolved } from '../pipeline/resolve/resolve.ts';
import type { Fields, OpenSource } from '../sources/source.ts';
import { drain } from '../streams/drain.ts';
import { iterate } from '../streams/iterate.ts';
import type { Alone } from '../train/benchmark-step.ts';
import { CellReader, cellLayout } from '../train/cells.ts';
import type { Compute } from '../train/flops.ts';
import { queuedPerThread } from '../vision/render/native.ts';
import { toCells } from './loader/batches.ts';
import { openLoader, openSource } from './loader/open.ts';
import { type MicroBatchRange, microBatchRange, ringCells } from './training/micro-batch-range.ts';
import { ownModel, trainDefinition } from './training/train-definition.ts';
import { trainingDevice } from './training/training-device.ts';
import { checkTrainingMemory } from './training/training-memory.ts';

/** A part on its own, measured for a moment. */
export interface Part {
  readonly imagesPerSecond: number;
  /** Milliseconds of a core per image. */
  readonly coreMs: number;
}

/** What a pipeline is expected to do on this machine. */
export interface Profile {
  readonly loader: Part & {
    /** Bytes that the source reads per image; 0 where it gives pictures without bytes. */
    readonly bytesPerImage: number;
    /** The stage that takes most, and its milliseconds per sample. */
    readonly slowest: { readonly stage: string; readonly ms: number };
  };
  readonly trainer?: Part & { readonly microBatch: number; readonly backend: string; readonly compute?: Compute };
  /** Other micro-batches, where they were asked for: images/s of the trainer alone; nothing where memory ended. */
  readonly search?: readonly { readonly microBatch: number; readonly imagesPerSecond?: number }[];
  /** What it was measured on: the container's cores and memory where there is one. */
  readonly machine: Machine;
  /** Images per second of the whole. */
  readonly imagesPerSecond: number;
  readonly bottleneck: 'loader' | 'trainer' | 'cores';
  /** Seconds of one pass over the source. */
  readonly epochSeconds: number;
  readonly count: number;
  /** Bytes that the process takes: what it takes now, files of all permits, cells of the ring. */
  readonly memory: number;
}

export interface ProfileOptions {
  /** Sweep micro-batches. */
  readonly search?: boolean;
  /** Milliseconds of each part's calibration, after a warm-up of a quarter of it. Default 2000. */
  readonly milliseconds?: number;
  /** What the device could do, in floating-point operations a second, where the user knows better. */
  readonly peak?: number;
  readonly line?: (text: string) => void;
}

/**
 * Measures loader and trainer on their own for a moment each, on the pipeline's own data, and predicts what they do together. Writes nothing. The
 * trainer is measured in the calling thread.
 *
 * @throws what source, stages, model and backend throw.
 */
export async function profile(resolved: Resolved, options: ProfileOptions = {}): Promise<Profile> {
  const { search = false, milliseconds = 2000, line = () => {}, peak } = options;
  const source = await openSource(resolved, { onLine: line });
  const { count } = source;
  const counted = new CountedSource(source);
  const { train, capacity } = resolved;
  const layout = train && cellLayout({ name: train.model.name, fields: train.model.definition.fields }, resolved.spec);
  if (train && layout) checkTrainingMemory(train, { spec: resolved.spec, cellBytes: layout.cellBytes });
  const range = train && layout && microBatchRange(train, resolved, layout, undefined, trainingDevice(train));
  const cells = range === undefined ? 0 : ringCells(range, resolved);
  const { loader, fields } = await loaderAlone(resolved, counted, { milliseconds, size: range?.start, cells });
  let trainer: Profile['trainer'];
  const tried: { microBatch: number; imagesPerSecond?: number }[] = [];
  if (range !== undefined && fields !== undefined) {
    const { trainerAlone } = await import('../train/benchmark-step.ts');
    const definition = trainDefinition(resolved, { length: { steps: 1 }, count, folder: '', fresh: true });
    const model = await ownModel(resolved);
    const alone: Alone = await trainerAlone(definition, { ...(model && { model }), note: line });
    try {
      const sizes = search ? ladder(train!.batch, range) : [range.start];
      for (const microBatch of sizes) {
        const part = await alone.measure(fields, microBatch, milliseconds);
        tried.push({ microBatch, ...(part && { imagesPerSecond: part.imagesPerSecond }) });
        if (part === undefined) break;
        if (trainer === undefined || part.imagesPerSecond > trainer.imagesPerSecond * 1.01) {
          trainer = { ...part, microBatch, backend: alone.why };
        }
      }
      const { flopPerSample } = definition;
      if (trainer !== undefined && flopPerSample != null) {
        const known = peak === undefined ? await alone.peak() : { flops: peak, of: 'as given' };
        trainer = { ...trainer, compute: { flopPerSample, ...(known && { peak: known }) } };
      }
    } finally {
      alone.dispose();
    }
  }
  const imagesPerSecond = together(loader, trainer);
  return {
    loader,
    machine: machine(),
    ...(trainer && { trainer }),
    ...(search && { search: tried }),
    ...imagesPerSecond,
    epochSeconds: count / imagesPerSecond.imagesPerSecond,
    count,
    memory: process.memoryUsage.rss() + capacity.permits * loader.bytesPerImage + cells * (layout?.cellBytes ?? 0),
  };
}

/** What the two do side by side: as fast as the slower, and no faster than the cores allow. */
export function together(loader: Part, trainer: Part | undefined, cores = coreCount()) {
  if (trainer === undefined) return { imagesPerSecond: loader.imagesPerSecond, bottleneck: 'loader' as const };
  const slower = Math.min(loader.imagesPerSecond, trainer.imagesPerSecond);
  const shared = (1000 * cores) / (loader.coreMs + trainer.coreMs);
  if (shared < 0.95 * slower) return { imagesPerSecond: shared, bottleneck: 'cores' as const };
  const bottleneck = slower === loader.imagesPerSecond ? ('loader' as const) : ('trainer' as const);
  return { imagesPerSecond: slower, bottleneck };
}

/** About eight micro-batches, each about twice the one before. */
function ladder(batch: number, { most = batch, even = false }: Pick<MicroBatchRange, 'most' | 'even'>): number[] {
  const rungs: number[] = [];
  for (const n of divisorsOf(batch, most, even)) if (rungs.length === 0 || n >= 1.9 * rungs.at(-1)!) rungs.push(n);
  return rungs.slice(-9);
}

/** Counts the bytes that a source reads. */
class CountedSource implements OpenSource {
  readonly count: number;
  readonly turns?: true;
  bytes = 0;
  readonly #source: OpenSource;

  constructor(source: OpenSource) {
    this.#source = source;
    this.count = source.count;
    if (source.turns) this.turns = true;
  }

  key(index: number): string {
    return this.#source.key(index);
  }

  read(...given: Parameters<OpenSource['read']>): Fields | Promise<Fields> {
    const fields = this.#source.read(...given);
    const add = (read: Fields) => {
      if (read.bytes instanceof Uint8Array) this.bytes += read.bytes.byteLength;
      return read;
    };
    return fields instanceof Promise ? fields.then(add) : add(fields);
  }

  async close(): Promise<void> {
    await this.#source.close?.();
  }
}

/** The loader without anyone behind it; with samples as arrays where a model asks for lists of `size`. */
async function loaderAlone(
  resolved: Resolved,
  source: CountedSource,
  { milliseconds, size, cells }: { milliseconds: number; size: number | undefined; cells: number },
): Promise<{ loader: Profile['loader']; fields?: HostBatch }> {
  const opened = await openLoader(resolved, { source, epochs: Number.POSITIVE_INFINITY, shuffle: true });
  const { loader, spec, close } = opened;
  let fields: HostBatch | undefined;
  const watch = new Calibration(milliseconds);
  try {
    if (size === undefined) {
      const render = drain({
        write: async (sample) => (sample as { picture?: { pixels(): Promise<unknown> } }).picture?.pixels(),
        commit: () => {},
        fatal: () => false,
        ...loader.ending('render', queuedPerThread()),
      });
      for await (const _ of iterate(loader.ordered.pipe(render))) if (watch.count(1)) break;
    } else {
      const only = resolved.train!.model.definition.fields;
      for await (const { list, ring, layout } of iterate(
        loader.ordered.pipe(toCells(loader, spec, size, cells, only)),
      )) {
        fields ??= new CellReader(ring.memory, layout).read(list.cells);
        ring.free(list.cells);
        if (watch.count(list.keys.length)) break;
      }
    }
    const stats = loader.stats();
    const read = Math.max(1, stats[0]?.out ?? 1);
    const slowest = stats.reduce((most, each) => (each.busyMs > most.busyMs ? each : most));
    return {
      loader: {
        ...watch.part(),
        bytesPerImage: source.bytes / read,
        slowest: { stage: slowest.stage.replace(/^\d+:/, ''), ms: slowest.mean },
      },
      ...(fields && { fields }),
    };
  } finally {
    await close();
  }
}

/** Counts images for so long, after a warm-up. */
export class Calibration {
  readonly #milliseconds: number;
  #began: number;
  #cpu = process.cpuUsage();
  #warm = false;
  #images = 0;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.#began = awake.now();
  }

  /** Enters images that are done; true when it has been long enough. */
  count(images: number): boolean {
    const passed = awake.now() - this.#began;
    if (!this.#warm && passed < this.#milliseconds / 4) return false;
    if (!this.#warm) {
      this.#warm = true;
      this.#began = awake.now();
      this.#cpu = process.cpuUsage();
      return false;
    }
    this.#images += images;
    return passed >= this.#milliseconds;
  }

  /** What was counted. */
  part(): Part {
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (awake.now() - this.#began) / 1000;
    const images = Math.max(1, this.#images);
    return { imagesPerSecond: images / seconds, coreMs: (user + system) / 1000 / images };
  }
}

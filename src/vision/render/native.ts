import { fail } from '../../errors.ts';
import { type Absent, imageKinds, isAbsent } from '../../native.ts';
import { type NativePool, nativePool } from '../../native-pool.ts';
import type { LazyPicture, Origin } from '../geometry.ts';
import type { Format } from '../headers/formats.ts';
import { numberOf, planOf, stepInts, writeStep } from './plan.ts';
import { type Encoded, type Place, type Rendered, type Rendering, Waiting } from './waiting.ts';

/** What native/image puts before the steps of a job. */
const headInts = 9;

/** The kinds of work of a step: resizing, a warp and the effects. */
const mostWorks = 16;

/** What native/image takes: steps of a job, and pixels of a side. */
const mostSteps = 1023;
export const longestSide = 65535;

/**
 * The native renderer of this thread. Jobs that are asked for in one turn of the event loop go to the addon in one call, and come back in one
 * message for all that have ended by then.
 */
export class NativeRenderer {
  readonly #pool: NativePool;
  /** Jobs of this turn. */
  #gathered: Waiting[] = [];
  #ints = new Int32Array(4096);

  /** The formats that its addon decodes. */
  readonly formats: ReadonlySet<keyof typeof formatNames>;

  constructor(pool: NativePool) {
    this.#pool = pool;
    const { png, webp } = pool.addon.info();
    this.formats = new Set<keyof typeof formatNames>([
      'jpeg',
      ...(png === '' ? [] : ['png' as const]),
      ...(webp === '' ? [] : ['webp' as const]),
    ]);
  }

  about(): { readonly libraries: readonly string[]; readonly vectors: string } {
    const { version, png, webp, deflate, vectors } = this.#pool.addon.info();
    const parts = [Math.floor(version / 1e6), Math.floor(version / 1e3) % 1e3, version % 1e3];
    const libraries = [`libjpeg-turbo ${parts.join('.')}`];
    if (png !== '') libraries.push(`libpng ${png}`);
    if (webp !== '') libraries.push(`libwebp ${webp}`);
    if (deflate !== '') libraries.push(`libdeflate ${deflate}`);
    return { libraries, vectors };
  }

  /** The library that makes files of a format, which decides their bytes; nothing where the addon makes none. */
  encodes(format: Format): string | undefined {
    const library = format === 'jpeg' ? 'libjpeg' : format === 'png' ? 'libdeflate' : undefined;
    return library && this.about().libraries.find((name) => name.startsWith(library));
  }

  /** How many threads render. */
  setThreads(count: number): void {
    this.#pool.addon.setThreads(count);
  }

  /**
   * Renders all of a sample's pictures. Those that it cannot render it leaves to `otherwise`, and has written nothing. Into a place that is taken back
   * nothing is written from then on, which counts as done.
   *
   * @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
   */
  render(renderings: readonly Rendering[], place: Place | undefined, otherwise: () => Promise<void>): Promise<void> {
    const { origin } = renderings[0]!.picture;
    if (!isRenderable(origin, this.formats)) return otherwise();
    for (const { picture } of renderings) if (picture.origin !== origin) return otherwise();
    const plan = planOf(renderings);
    if (plan === undefined || plan.steps.length > mostSteps) return otherwise();
    return this.#start({ renderings, plan, place, otherwise }) as Promise<void>;
  }

  /**
   * Renders a picture and makes a file of it, both in one job. What it cannot render, and sides that the format does not have, it leaves to `otherwise`. With a
   * `path`, the file is written there as well, and what comes back is how many microseconds that took; its bytes where it could not be.
   *
   * @throws PICTURE_BROKEN, PICTURE_MEMORY, PICTURE_REFUSED
   */
  encode(encoded: Encoded & { readonly path?: undefined }, otherwise: () => Promise<Uint8Array>): Promise<Uint8Array>;
  encode(encoded: Encoded, otherwise: () => Promise<Uint8Array | number>): Promise<Uint8Array | number>;
  encode(
    { picture, grey, encoding, path }: Encoded,
    otherwise: () => Promise<Uint8Array | number>,
  ): Promise<Uint8Array | number> {
    const renderings = [{ picture, grey }];
    const plan = isRenderable(picture.origin, this.formats) ? planOf(renderings) : undefined;
    if (plan === undefined || plan.steps.length > mostSteps) return otherwise();
    const packed = path === undefined ? encoding : encoding | (1 << 24);
    return this.#start({ renderings, plan, place: undefined, encoding: packed, path, otherwise }) as Promise<
      Uint8Array | number
    >;
  }

  #start(rendered: Rendered): Promise<unknown> {
    const { place } = rendered;
    return new Promise((resolve, reject) => {
      const waiting = new Waiting(rendered, resolve, reject);
      const id = this.#pool.open(waiting);
      waiting.id = id;
      if (this.#gathered.length === 0) process.nextTick(this.#flush);
      this.#gathered.push(waiting);
      place?.whenFreed(() => this.#pool.addon.cancel(id));
    });
  }

  /** Starts what was gathered, but for the jobs whose place was taken back meanwhile: the addon has not seen them yet, so it cannot cancel them. */
  readonly #flush = () => {
    const gathered = this.#gathered;
    this.#gathered = [];
    const wanted = gathered.filter((waiting) => {
      if (waiting.place?.current !== false) return true;
      this.#pool.close(waiting.id);
      waiting.giveUp();
      return false;
    });
    if (this.#submit(wanted) === undefined) return;
    // The addon takes all or none, so that one job it refuses is told from the others one by one.
    for (const job of wanted) {
      const cause = this.#submit([job]);
      if (cause === undefined) continue;
      job.place?.whenFreed(undefined);
      this.#pool.close(job.id);
      job.reject(refusal(cause));
    }
  };

  /** Hands jobs to the addon; returns why it took none of them. */
  #submit(jobs: readonly Waiting[]): Error | undefined {
    const arrays: Uint8Array[] = [];
    const paths: string[] = [];
    let count = 0;
    for (const job of jobs) {
      if (job.path !== undefined) paths.push(job.path);
      const { origin } = job.renderings[0]!.picture;
      count = this.#write(count, job);
      arrays.push(origin.kind === 'raw' ? origin.data : origin.bytes);
      for (const { out } of job.renderings) if (out !== undefined) arrays.push(out);
    }
    if (count === 0) return undefined;
    try {
      this.#pool.addon.submit(this.#ints, count, arrays, paths);
      return undefined;
    } catch (cause) {
      return cause as Error;
    }
  }

  /** Writes a job at `at` of the ints; returns where the next begins. */
  #write(start: number, { id, renderings, plan: { steps, outputs }, encoding }: Waiting): number {
    let at = start;
    const { picture } = renderings[0]!;
    const { origin } = picture;
    const root = rootOf(picture);
    const needed = at + headInts + steps.length * stepInts;
    if (needed > this.#ints.length) {
      const larger = new Int32Array(needed * 2);
      larger.set(this.#ints);
      this.#ints = larger;
    }
    const ints = this.#ints;
    const orientation = origin.kind === 'encoded' ? origin.orientation : 1;
    const turned = orientation > 4;
    ints[at] = id;
    ints[at + 1] = kindOf(origin);
    ints[at + 2] = turned ? root.height : root.width;
    ints[at + 3] = turned ? root.width : root.height;
    ints[at + 4] = orientation;
    ints[at + 5] = origin.kind === 'encoded' ? numberOf(origin.background) : 0;
    ints[at + 6] = encoding === 0 ? outputs.length : 0;
    ints[at + 7] = steps.length;
    ints[at + 8] = encoding;
    at += headInts;
    for (let i = 0; i < steps.length; i++) {
      const output = outputs.indexOf(i);
      const channels = output >= 0 && renderings[output]!.grey ? 1 : 3;
      writeStep(ints, at, steps[i]!, encoding === 0 ? output : -1, channels);
      at += stepInts;
    }
    return at;
  }
}

/** As people write them. */
export const formatNames = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP' } as const;

const noFormats: ReadonlySet<Format> = new Set();

/** Raw pixels of sides that the addon takes, and files of its formats that are plain (their sides are within that). */
export function isRenderable(origin: Origin, formats: ReadonlySet<Format> = noFormats): boolean {
  if (origin.kind === 'raw') return Math.max(origin.width, origin.height) <= longestSide;
  return origin.plain && formats.has(origin.format);
}

function kindOf(origin: Origin): number {
  if (origin.kind === 'raw') return origin.channels === 3 ? imageKinds.rgb : imageKinds.grey;
  return origin.format === 'png' ? imageKinds.png : origin.format === 'webp' ? imageKinds.webp : imageKinds.jpeg;
}

/** The error of the catalogue for what the addon throws when it takes no job. */
export function refusal(cause: Error): Error {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'OUT_OF_MEMORY') return fail('PICTURE_MEMORY', {}, { cause });
  if (code === 'NO_THREAD')
    return fail('THREADS_NONE', { what: 'rendering', reason: cause.message }, { cause, ends: true });
  return fail('PICTURE_REFUSED', { reason: cause.message }, { cause });
}

function rootOf(picture: LazyPicture): LazyPicture {
  let at = picture;
  while (at.from !== undefined) at = at.from.picture;
  return at;
}

/** The environment variable that chooses: `sharp` renders everything with sharp, for comparisons. */
const variable = 'PATCHSTREAM_RENDERER';

let renderer: NativeRenderer | Absent | undefined;

/** The native renderer of this thread, or why everything is rendered by sharp. */
export function nativeRenderer(): NativeRenderer | Absent {
  renderer ??= choose();
  return renderer;
}

function choose(): NativeRenderer | Absent {
  if (process.env[variable] === 'sharp') return { found: `${variable}=sharp asks for it`, remedy: `unset ${variable}` };
  return rendererOver(nativePool());
}

/** The renderer over an addon, unless that was built for another version of this one. */
export function rendererOver(pool: NativePool | Absent): NativeRenderer | Absent {
  if (isAbsent(pool)) return pool;
  const { headInts: head, stepInts: step, works } = pool.addon.info();
  if (head === headInts && step === stepInts && works === mostWorks) return new NativeRenderer(pool);
  return { found: 'its addon was built for another version of patchstream', remedy: 'npx patchstream doctor --build' };
}

/** Which renderer this machine has, for people: `native/image (libjpeg-turbo 2.1.5, libpng 1.6.39, libwebp 1.2.4, libdeflate 1.14, avx2): JPEG, PNG, WebP and raw pixels; sharp: the rest`. */
export function aboutRenderer(native: NativeRenderer | Absent = nativeRenderer()): string {
  if (isAbsent(native)) return `sharp: everything, since ${native.found}`;
  const { libraries, vectors } = native.about();
  const formats = Array.from(native.formats, (format) => formatNames[format]);
  return `native/image (${[...libraries, vectors].join(', ')}): ${formats.join(', ')} and raw pixels; sharp: the rest`;
}

/**
 * Samples at the renderer for each of its threads. At native/image, which has a queue: one that the thread does, and more so that it finds the next
 * when it has ended one. At sharp, which would do all of them at once: one.
 */
export function queuedPerThread(native: NativeRenderer | Absent = nativeRenderer()): number {
  return isAbsent(native) ? 1 : 6;
}

/** How many native threads render for this JavaScript thread from now on; as many as there are cores by default. Nothing when sharp renders. */
export function setRenderThreads(count: number): void {
  const native = nativeRenderer();
  if (!isAbsent(native)) native.setThreads(count);
}

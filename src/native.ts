import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { firstLine, messageOf } from './errors.ts';
import { prepareThreads } from './library-threads.ts';
import { computeThreads } from './machine.ts';
import type { LikenessAddon } from './native-likeness.ts';
import type { ReadingAddon } from './native-reading.ts';
import { jsonOf, systemCode, textOf } from './whole-file.ts';

/** Why an addon cannot be had, in words for a user, and the command that mends it. */
export interface Absent {
  readonly found: string;
  readonly remedy: string;
}

/** What a tensor is uploaded from and downloaded into. May lie in a SharedArrayBuffer. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/**
 * The functions of `native/torch/addon.cc`, as they are. Tensors are named by handles that `free` ends; a handle that was freed is an error.
 * Loaded once in each thread, which has its own tensors.
 */
export interface TorchAddon {
  /** Memory for the arguments and results of `run`, kept until the next `open`. */
  open(ints: Int32Array, numbers: Float64Array): void;
  /** The operations, in the order of their numbers. */
  names(): string[];
  /**
   * Input handles are taken from the first ints (-1: not given), attributes from the first numbers; the outputs are written to the ints, one after
   * another, as [handle, dtype, rank, sides…]. Returns their count.
   */
  run(opcode: number, inputCount: number, numberCount: number): number;
  /** Copies; the array is free when it returns. Other dtypes are converted. */
  upload(values: HostArray | Float64Array, dtype: number, shape: readonly number[]): number;
  /** Rows of `rowBytes` that begin at `starts`; `source` is a dtype, or 4 for bytes. */
  uploadRows(
    memory: Uint8Array,
    starts: Float64Array,
    rowBytes: number,
    source: number,
    dtype: number,
    shape: readonly number[],
  ): number;
  download(handle: number, into: HostArray): void;
  /** The values as they are now, even if the tensor is freed or changed meanwhile. */
  downloadAsync<A extends HostArray>(handle: number, into: A): Promise<A>;
  /**
   * Rows [n, D], which stay in the caller's memory, times columns [D, Q], a tensor of the host: the products [n, Q] and the rows' lengths [n] are written to arrays of the
   * caller's.
   */
  multiplyRows(rows: Float32Array, columns: number, products: Float32Array, lengths: Float32Array): void;
  free(handle: number): void;
  /** Writes down what is run, uploaded and freed until `stop`. The tensors given here may be others in a replay. */
  record(given: Int32Array): void;
  /** Ends the recording; the program is kept until `discard`. */
  stop(): number;
  describe(program: number): ProgramAbout;
  /** The first difference of a later recording from an earlier one. */
  differ(earlier: number, later: number): ProgramDifference;
  /** Does again what was recorded. False, with nothing done, when a tensor from before the recording was freed. */
  replay(program: number, given: Int32Array): boolean;
  /**
   * As `replay`, by one launch of all of it: captured when it is launched for the first time, and again where something from before the recording lies elsewhere. Throws where
   * it cannot be captured.
   */
  launch(program: number, given: Int32Array): boolean;
  /** How often a program was captured; whether work on a device can be. The host does it at each launch. */
  captures(program: number): number;
  canCapture(device: string): boolean;
  /** How many sums the newest replay or launch has added to, also when it has thrown. */
  additions(program: number): number;
  discard(program: number): void;
  /** Milliseconds spent in the addon so far: what is left of a step's time was spent in JavaScript. */
  milliseconds(): number;
  memory(): { readonly bytes: number; readonly tensors: number };
  /** Bytes that tensors may still take on a device with memory of its own, and all that it has; -1 where that is not known. */
  deviceMemory(device: string): { readonly free: number; readonly total: number };
  /** Gives memory that is kept for later tensors back, to the device and to the host. */
  releaseMemory(): void;
  /** So many bytes at most for tensors on the host, in the whole process: more is memory that cannot be had. */
  boundMemory(bytes: number): void;
  /** Sets a moment in the device's work: it comes when all that was asked for before is done. Numbers are below 4096, and may be set again. */
  mark(number: number): void;
  /** Milliseconds from one moment to another. Waits until both have come. */
  between(from: number, to: number): number;
  setThreads(count: number): void;
  /** Where tensors are made from now on. */
  setDevice(name: string): void;
  /** The name that a device gives itself, as `NVIDIA H200`; empty for those that give none. */
  deviceName(device: string): string;
  /** The first number of a CUDA device's compute capability; 0 for others, and where it is not known. */
  deviceGeneration(device: string): number;
  info(): {
    readonly version: string;
    readonly cuda: boolean;
    /** How many GPUs libtorch sees. */
    readonly cudaDevices: number;
    readonly mps: boolean;
    /** Whether the processor multiplies bfloat16 by instructions of its own. */
    readonly bfloat16: boolean;
    /** Whether loops of ours on the host use panels (float32, AVX-512) and tiles (bfloat16, AMX): the processor has them, and PATCHSTREAM_TORCH_KERNELS does not do without. */
    readonly panels: boolean;
    readonly tiles: boolean;
    readonly threads: number;
  };
  /** Whether products and convolutions of float32 on CUDA may take factors of TF32 (1), in the whole process; not (0) when the addon starts. */
  allowTf32(whether: 0 | 1): void;
  /** What was tried of kernels of ours on CUDA devices, and why it does not serve; an empty text where it does. */
  kernels(): Readonly<Record<string, string>>;
  /** What float32 means in products, convolutions and sums, as libtorch answers; `kernels`: `own`, or `aten` by PATCHSTREAM_TORCH_KERNELS. */
  settings(): Readonly<Record<string, string>>;
}

/** What a recording holds. A program that reads, frees or keeps cannot be replayed. */
export interface ProgramAbout {
  /** Operations, and how many of their results may be of bfloat16 in a replay. */
  readonly calls: number;
  readonly narrow: number;
  /** The operation whose output was read back while recording; empty when none was. */
  readonly reads: string;
  /** Whether a tensor from before was freed, and whether one that was made stayed. */
  readonly frees: boolean;
  readonly keeps: boolean;
}

/** `write`: other values were uploaded for this operation; `sequence`: the calls themselves differ, from this operation on. */
export interface ProgramDifference {
  readonly kind: 'none' | 'write' | 'sequence';
  readonly operation: string;
}

/** What is said of a job that has ended: the message of a broken one, the file of an encoded one. */
export type Said = string | Uint8Array | undefined;

/**
 * The functions of `native/image/addon.cc`, as they are. Loaded once in each thread, which has threads of its own that render. A mistake of the
 * caller is thrown; what is wrong with a picture is told by its outcome.
 */
export interface ImageAddon extends ReadingAddon, LikenessAddon {
  /**
   * Comes first, once. `ended` hears of jobs that have ended, many at a time: [id, outcome (`imageOutcomes`), size of the file that was read] of each, in the
   * first `count` ints of an array that is used again for the next message, and in their order the messages of those that are broken and the files of those that
   * are encoded (undefined where there is no memory for one). The next time when `listen` was called. The threads start with the first job; open jobs alone keep
   * the program alive.
   */
  open(threads: number, ended: (outcomes: Int32Array, count: number, said?: readonly Said[]) => void): void;
  /**
   * Starts the jobs in the first `count` ints. Of each: id, kind (`imageKinds`), width and height as stored, EXIF's orientation, the background of what is
   * transparent (0xRRGGBB), the number of outputs, the number of steps, the file that the last step's page becomes (0: none; 2: PNG; 1: JPEG, with the
   * quality in the next byte, and then 1 for 4:4:4 and 2 for the standard's Huffman tables; in the byte after that 1 where it is to be written to the next of `paths`,
   * as a file that is not there yet), and the ints of every step (native/image/job.h). `arrays` has its bytes and then its outputs, which may lie in a
   * SharedArrayBuffer and are kept alive until the job has ended. A job that makes a file has no outputs.
   * Where it was written, its outcome is `written`, and its size the microseconds which that took; where it could not be, it is handed over as any other.
   */
  submit(ints: Int32Array, count: number, arrays: readonly Uint8Array[], paths?: readonly string[]): void;
  /**
   * Starts a job for each frame, in an open file: reads it into its room, where that needs no waiting for a disk, and compares its first four bytes with the
   * CRC-32 of the others. The outcome is `read`, or `unread` where it must be read another way, and judged. `places` has the file's descriptor, the frame's
   * offset and its length for each.
   */
  readFrames(ids: Int32Array, places: Float64Array, rooms: readonly Uint8Array[]): void;
  /** Asks for the next message. To be called in another turn of the event loop than that of the last, so that the rest of the program has its turns. */
  listen(): void;
  /**
   * Renders raw pictures of one size, which lie one after another in `data`, into `out`, one behind the other; all in the calling thread. The ints: kind,
   * width and height of a record, the number of steps, the ints of every step, then the numbers of the records that are wanted. Returns the outcome
   * (`imageOutcomes`): `done` or `memory`.
   */
  renderRecords(ints: Int32Array, data: Uint8Array, out: Uint8Array): number;
  /**
   * Starts a job for each file: reads what lies at the path whole into its room, a Uint8Array, where that needs no waiting for a disk. The outcome is
   * `read`, with its size; or `unread` where it must be read another way, with its size (at most 2³¹ − 1) where a room does not have a byte more than the
   * file, else 0.
   */
  readFiles(ids: Int32Array, paths: readonly string[], rooms: readonly Uint8Array[]): void;
  /** When it returns, the job writes nothing any more, though it has not ended. Waits while a row of its pixels is written, never while its file is decoded. */
  cancel(id: number): void;
  /** How many threads take jobs from now on. */
  setThreads(count: number): void;
  /** CRC-32 of `bytes`, behind what has `before`, by the fastest way of the processor but for the first `slower`. Missing where it has none. */
  readonly crc32?: (bytes: Uint8Array, before: number, slower: number) => number;
  /** How many ways `crc32` has. */
  readonly crc32Ways?: () => number;
  /** For comparisons: 1 takes the plain form of the vector code, libpng and libwebp alone for PNGs and WebPs, and libjpeg's own packing and decoder of codes for JPEGs, in the whole process; 0 ends that. */
  setPortable(on: number): void;
  /** Counts so many bytes more, or fewer, as held by this thread's arrays: by their sum, which it returns, V8 collects. Missing in earlier builds. */
  readonly adjustMemory?: (bytes: number) => number;
  /** Asks for pages of 2 MiB below these bytes. Missing in earlier builds. */
  readonly largePages?: (bytes: Uint8Array) => void;
  info(): {
    /** Of libjpeg-turbo: 2001005 is 2.1.5. */
    readonly version: number;
    /** Of libpng, libwebp and libdeflate; empty where the addon is built without, and decodes, or makes, no such file. */
    readonly png: string;
    readonly webp: string;
    readonly deflate: string;
    readonly vectors: 'avx2' | 'plain';
    /** Whose decoders of JPEGs' codes, and of lossy WebPs (empty without libwebp), serve in this process. Missing in earlier builds. */
    readonly codes?: 'own' | 'libjpeg' | 'untried';
    readonly lossy?: 'own' | 'libwebp' | '';
    /** Ints that `submit` takes before the steps of a job, and of a step; kinds of work of a step. Built for another version it has others, or says nothing. */
    readonly headInts?: number;
    readonly stepInts?: number;
    readonly works?: number;
  };
}

/**
 * The functions of `native/dlib/addon.cc`, as they are. Loaded once in each thread, which has threads of its own for faces. A mistake of the caller is thrown.
 */
export interface DlibAddon {
  /**
   * Comes first, once. `ended` hears of every job: its id, what became of it (`dlibOutcomes`), five numbers of each face that was found (left, top, width,
   * height in pixels of what was scanned, which they may leave, and confidence), followed by x and y of its 68 landmarks where a model was given, and dlib's
   * own words where it failed. Threads, up to this many, are started when jobs find the others busy; open jobs alone keep the program alive.
   */
  open(threads: number, ended: (id: number, outcome: number, faces: Float64Array, message: string) => void): void;
  /**
   * Looks for faces in luma, [height, width], which must stay as it is meanwhile, but not on the first `steps` levels of dlib's pyramid. Those less sure than
   * `least` are left out; 0 is dlib's own threshold. `model` is the path of a model of landmarks, which is read once a process.
   */
  submit(
    id: number,
    pixels: Uint8Array,
    width: number,
    height: number,
    steps: number,
    least: number,
    model: string | undefined,
  ): void;
  /** The job ends as cancelled: at once when it has not begun, else when its scan has ended. */
  cancel(id: number): void;
  info(): {
    readonly version: string;
    readonly vectors: 'avx2' | 'plain';
    /** Whether the machine has AVX2. */
    readonly avx2: boolean;
  };
}

/** What becomes of jobs, as `native/dlib` numbers them. */
export const dlibOutcomes = { done: 0, cancelled: 1, memory: 2, failed: 3, model: 4 } as const;

/** Kinds of sources, and what becomes of jobs, as `native/image` numbers them. */
export const imageKinds = { jpeg: 0, grey: 1, rgb: 2, png: 5, webp: 6 } as const;
export const imageOutcomes = {
  ...{ done: 0, broken: 1, foreign: 2, cancelled: 3, memory: 4 },
  ...{ read: 5, unread: 6, encoded: 7, written: 8 },
} as const;

const require = createRequire(import.meta.url);
const known: { torch?: TorchAddon | Absent; image?: ImageAddon | Absent; dlib?: DlibAddon | Absent } = {};

/** The addon over libtorch, or why it is not there. Looks for it once. */
export function torchAddon(): TorchAddon | Absent {
  if (known.torch !== undefined) return known.torch;
  known.torch = load<TorchAddon>('torch');
  // libtorch counts the cores of the machine, whatever share of them a container has.
  if (!isAbsent(known.torch)) known.torch.setThreads(computeThreads());
  return known.torch;
}

/** The addon over libjpeg-turbo, or why it is not there. Looks for it once. */
export function imageAddon(): ImageAddon | Absent {
  known.image ??= load<ImageAddon>('image');
  return known.image;
}

/** The addon over dlib in the form that suits the machine best, or why it is not there. Looks for it once. */
export function dlibAddon(): DlibAddon | Absent {
  known.dlib ??= bestDlib();
  return known.dlib;
}

function bestDlib(): DlibAddon | Absent {
  const plain = load<DlibAddon>('dlib');
  if (isAbsent(plain) || !plain.info().avx2) return plain;
  try {
    return require(fileURLToPath(new URL('../native/dlib/build/dlib-avx2.node', import.meta.url))) as DlibAddon;
  } catch (cause) {
    // Half as fast, as `doctor` shows by `(plain)`: this one was not built, or does not load here.
    if (!['MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED'].includes(systemCode(cause) ?? '')) throw cause;
    return plain;
  }
}

/** Whether an addon was not found. */
export function isAbsent(addon: object): addon is Absent {
  return 'remedy' in addon;
}

/** Whether libtorch's addon has been built, without loading it. */
export function isTorchBuilt(): boolean {
  return existsSync(new URL('../native/torch/build/torch.node', import.meta.url));
}

function load<A>(name: 'torch' | 'image' | 'dlib'): A | Absent {
  const folder = new URL(`../native/${name}/build/`, import.meta.url);
  const path = fileURLToPath(new URL(`${name}.node`, folder));
  const remedy = 'Run `npx patchstream doctor --build`, which builds it or says why not.';
  const loaded = name === 'torch' ? prepareThreads() : () => {};
  try {
    return require(path) as A;
  } catch (cause) {
    const reason = reasonOfBuild(folder);
    if (reason !== undefined) return { found: `its addon was not built (${reason})`, remedy };
    if (systemCode(cause) === 'MODULE_NOT_FOUND') return { found: 'its addon is not built', remedy };
    return { found: `its addon does not load (${firstLine(messageOf(cause))})`, remedy };
  } finally {
    loaded();
  }
}

/** What the build wrote down when it failed. */
function reasonOfBuild(folder: URL): string | undefined {
  const text = textOf(fileURLToPath(new URL('build.json', folder))) ?? '';
  const { built, reason } = (jsonOf(text) ?? {}) as { readonly built?: unknown; readonly reason?: unknown };
  return built === false && typeof reason === 'string' ? firstLine(reason) : undefined;
}

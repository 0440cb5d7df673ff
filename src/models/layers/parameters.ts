import type { Random } from '../../random.ts';

/** One trained parameter: its timm name, its shape in memory, how a file stores it, and how it starts. Free of tfjs, so that counts are cheap. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /**
   * `linear`: [in, out] in memory, [out, in] in files. `patch`: [p·p·3, D] in memory, [D, 3, p, p] in files. `conv`: [k, k, in, out] in
   * memory, or [in, out] where k is 1; [out, in, k, k] in files. `table`: a leading 1 in files.
   */
  readonly layout: 'same' | 'linear' | 'patch' | 'conv' | 'table';
  readonly start:
    | 'zeros'
    | 'ones'
    | { readonly constant: number }
    | { readonly normal: number }
    /** Normal of this spread, cut at one spread to either side. */
    | { readonly truncated: number }
    | { readonly uniform: number }
    | { readonly values: Float32Array };
}

/** Width, depth and heads of a transformer. */
export interface TransformerShape {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
}

const xavier = (inner: number, outer: number) => ({ uniform: Math.sqrt(6 / (inner + outer)) });

/** `name.weight`, Xavier uniform, and `name.bias`, zero. */
export function linearParameters(name: string, inner: number, outer: number): Parameter[] {
  return [
    { name: `${name}.weight`, shape: [inner, outer], layout: 'linear', start: xavier(inner, outer) },
    { name: `${name}.bias`, shape: [outer], layout: 'same', start: 'zeros' },
  ];
}

/** `name.weight`, ones, and `name.bias`, zeros, of a layer normalisation. */
export function normParameters(name: string, width: number): Parameter[] {
  return [
    { name: `${name}.weight`, shape: [width], layout: 'same', start: 'ones' },
    { name: `${name}.bias`, shape: [width], layout: 'same', start: 'zeros' },
  ];
}

/** The patch embedding, one linear map of a flattened patch. Its bias keeps a convolution's start, U(±1/√(3p²)), as in MAE. */
export function patchEmbedParameters(patch: number, width: number): Parameter[] {
  const inner = patch * patch * 3;
  return [
    { name: 'patch_embed.proj.weight', shape: [inner, width], layout: 'patch', start: xavier(inner, width) },
    { name: 'patch_embed.proj.bias', shape: [width], layout: 'same', start: { uniform: 1 / Math.sqrt(inner) } },
  ];
}

/** `count` learned tokens [1, count, D], normal with spread 0.02. */
export function tokenParameter(name: string, width: number, count = 1): Parameter {
  return { name, shape: [1, count, width], layout: 'same', start: { normal: 0.02 } };
}

/** Which of queries, keys and values have tables of relative positions, in the words of iRPE's models. */
export type RpeOn = 'k' | 'qk' | 'qkv';

/** Tables of relative positions: of how many buckets, and for what. */
export interface Tables {
  readonly buckets: number;
  /** Default: for keys. */
  readonly on?: RpeOn | undefined;
}

/** The name of a table of relative positions of attention `attn`, as iRPE's models have it. */
export function rpeTable(attn: string, of: 'q' | 'k' | 'v'): string {
  return `${attn}.rpe_${of}.lookup_table_weight`;
}

/** The parameters of one pre-norm block under `prefix`; with `tables`, attention has them of relative positions: for queries and keys [d, buckets], for values [buckets, d]. */
export function blockParameters(prefix: string, width: number, heads: number, tables?: Tables): Parameter[] {
  const d = width / heads;
  const table: Parameter[] =
    tables === undefined
      ? []
      : [...(tables.on ?? 'k')].map((of) => ({
          name: rpeTable(`${prefix}.attn`, of as 'q' | 'k' | 'v'),
          shape: of === 'v' ? [tables.buckets, d] : [d, tables.buckets],
          layout: 'table',
          start: 'zeros',
        }));
  return [
    ...normParameters(`${prefix}.norm1`, width),
    ...linearParameters(`${prefix}.attn.qkv`, width, 3 * width),
    ...linearParameters(`${prefix}.attn.proj`, width, width),
    ...table,
    ...normParameters(`${prefix}.norm2`, width),
    ...linearParameters(`${prefix}.mlp.fc1`, width, 4 * width),
    ...linearParameters(`${prefix}.mlp.fc2`, 4 * width, width),
  ];
}

/** How many numbers `parameters` hold. */
export function countParameters(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

const sizeOf = (shape: readonly number[]) => shape.reduce((product, side) => product * side, 1);

/** Fresh values of a parameter, float32 in memory order. Takes one word per value from `random`, two for a normal one, two a try for one that is cut. */
export function drawParameter({ shape, start }: Parameter, random: Random): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  if (start === 'zeros') return values;
  if (start === 'ones') return values.fill(1);
  if ('constant' in start) return values.fill(start.constant);
  if ('values' in start) return start.values.slice();
  const draw = drawOf(start, random);
  for (let i = 0; i < values.length; i++) values[i] = draw();
  return values;
}

type Drawn = Extract<Parameter['start'], { normal: number } | { truncated: number } | { uniform: number }>;

function drawOf(start: Drawn, random: Random): () => number {
  if ('normal' in start) return () => start.normal * random.normal();
  if ('uniform' in start) return () => random.between(-start.uniform, start.uniform);
  return () => {
    let x = random.normal();
    while (Math.abs(x) > 1) x = random.normal();
    return start.truncated * x;
  };
}

/** Weight decay's rule: what has one dimension is left out (gains and biases); tokens, tables and weights are decayed. Source: MAE's recipe. */
export function decays({ shape }: Parameter): boolean {
  return shape.length > 1;
}

/** A parameter's shape in a file, and the conversions between file and memory; each makes a new array. */
export interface Stored {
  readonly shape: readonly number[];
  toFile(data: Float32Array): Float32Array;
  fromFile(data: Float32Array): Float32Array;
}

/** How files store a parameter, as timm does. */
export function storedForm({ shape, layout }: Parameter): Stored {
  if (layout === 'same' || layout === 'table') {
    const stored = layout === 'table' ? [1, ...shape] : shape;
    return { shape: stored, toFile: (data) => data.slice(), fromFile: (data) => data.slice() };
  }
  const outer = shape[shape.length - 1]!;
  const inner = sizeOf(shape) / outer;
  const side = layout === 'conv' ? (shape.length === 4 ? shape[0]! : 1) : Math.sqrt(inner / 3);
  const channels = layout === 'linear' ? inner : inner / side ** 2;
  // Where memory's input index stands in a file: (row, col, channel) in memory is (channel, row, col) in files.
  const place = (i: number) => (layout === 'linear' ? i : (i % channels) * side * side + Math.floor(i / channels));
  const move = (data: Float32Array, fromFile: boolean) => {
    const out = new Float32Array(data.length);
    for (let i = 0; i < inner; i++) {
      for (let j = 0; j < outer; j++) {
        const [memory, file] = [i * outer + j, j * inner + place(i)];
        if (fromFile) out[memory] = data[file]!;
        else out[file] = data[memory]!;
      }
    }
    return out;
  };
  return {
    shape: layout === 'linear' ? [outer, inner] : [outer, channels, side, side],
    toFile: (data) => move(data, false),
    fromFile: (data) => move(data, true),
  };
}

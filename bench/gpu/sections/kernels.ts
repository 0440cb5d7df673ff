/**
 * The kernels of native/torch/cuda on this card: whether each gives what ATen's operations give, and how long the operations of a training take with them and without,
 * at the sizes of LoMaR and MAE, base. Bytes are what an operation must read and write at least. Without an argument this is the section; with one it is the process
 * in which ATen computes.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as tf from '../../../src/backends/tf.ts';
import { TorchBackend } from '../../../src/backends/torch/torch.ts';
import { digits, errorLine, kit, middle, row, useTorch } from '../child.ts';

/** Windows of LoMaR and pictures of MAE in a micro-batch, tokens of each, and what the models are wide. */
const [windows, pictures, width, heads, decoder] = kit.tiny
  ? ([4, 2, 64, 2, 64] as const)
  : ([512, 128, 768, 12, 512] as const);
const [tokens, patches] = [50, 197] as const;
const rounds = kit.tiny ? 3 : 20;
const bfloat16 = 1;

interface Operation {
  readonly name: string;
  readonly inputs: readonly (tf.Tensor | undefined)[];
  readonly attributes: readonly number[];
  readonly bytes: number;
}

const random = (...shape: number[]) => tf.randomNormal(shape);

/** The outputs of an operation, which gradients need: owned by the caller. */
function made(backend: TorchBackend, operation: string, inputs: Operation['inputs'], attributes: readonly number[]) {
  return backend.all(operation, inputs, attributes).map((info) => tf.engine().makeTensorFromTensorInfo(info));
}

function attentions(backend: TorchBackend, what: string, B: number, T: number, D: number, h: number): Operation[] {
  const relative = what === 'windows';
  const ids = Int32Array.from({ length: T * T }, (_, i) => (i * 7) % 50);
  const positions = relative ? [random(D / h, 50), tf.tensor2d(ids, [T, T], 'int32')] : [undefined, undefined];
  const [qkv, dy] = [random(B, T, 3 * D), random(B, T, D)];
  const attributes = [h, 0, bfloat16];
  const [y, saved] = made(backend, 'PatchstreamAttention', [qkv, ...positions], attributes);
  const numbers = B * T * D;
  return [
    { name: `attention, ${what}`, inputs: [qkv, ...positions], attributes, bytes: numbers * (3 * 4 + 4) },
    {
      name: `attention's gradient, ${what}`,
      inputs: [dy, qkv, y, saved, ...positions],
      attributes,
      bytes: numbers * (4 + 3 * 4 + 3 * 4),
    },
  ];
}

function operations(backend: TorchBackend): (Operation & { readonly operation: string })[] {
  const rows = windows * tokens;
  const [x, gain, bias, dy] = [random(rows, width), random(width), random(width), random(rows, width)];
  const [weight, shift, change] = [random(width, 4 * width), random(4 * width), random(rows, 4 * width)];
  const [, saved, kept] = made(backend, 'PatchstreamLinear', [x, weight, shift], [1, bfloat16]);
  const [, mean, rstd] = made(backend, 'PatchstreamLayerNorm', [x, gain, bias], [1e-6]);
  const size = rows * width;
  const lists = Array.from({ length: 4 }, (_, i) =>
    [random(weight.size), random(weight.size)].map((z) => (i === 3 ? z.abs() : z)),
  );
  const all: (Operation & { readonly operation: string })[] = [
    {
      ...{
        operation: 'PatchstreamLinear',
        name: 'linear with GELU',
        inputs: [x, weight, shift],
        attributes: [1, bfloat16],
      },
      bytes: size * (4 + 4 * (4 + 2)) + 4 * weight.size,
    },
    {
      ...{
        operation: 'PatchstreamLinearGrad',
        name: 'its gradient',
        inputs: [change, kept, weight, saved],
        attributes: [1, bfloat16],
      },
      bytes: size * (4 * (4 + 2) + 2 + 4) + 8 * weight.size,
    },
    {
      ...{
        operation: 'PatchstreamLayerNorm',
        name: 'layer normalisation',
        inputs: [x, gain, bias],
        attributes: [1e-6],
      },
      bytes: size * 8,
    },
    {
      ...{
        operation: 'PatchstreamLayerNormGrad',
        name: 'its gradient',
        inputs: [dy, x, mean, rstd, gain],
        attributes: [],
      },
      bytes: size * 12,
    },
    ...attentions(backend, 'windows', windows, tokens, width, heads).map((each, i) => ({
      ...each,
      operation: i === 0 ? 'PatchstreamAttention' : 'PatchstreamAttentionGrad',
    })),
    ...attentions(backend, 'pictures', pictures, patches, decoder, kit.tiny ? 2 : 16).map((each, i) => ({
      ...each,
      operation: i === 0 ? 'PatchstreamAttention' : 'PatchstreamAttentionGrad',
    })),
    {
      ...{ operation: 'PatchstreamNorms', name: 'sums of squares', inputs: lists.flat().slice(0, 2), attributes: [] },
      bytes: 8 * weight.size,
    },
    {
      ...{ operation: 'PatchstreamAdamW', name: 'AdamW', inputs: lists.flat() },
      attributes: [1e-4, 0.9, 0.95, 1e-8, 1, 1, 2, 0.05, 0],
      bytes: 2 * weight.size * (4 * 4 + 4 * 4),
    },
  ];
  return all;
}

/** Milliseconds of each operation, the middle of some rounds. */
function times(backend: TorchBackend): Record<string, number> {
  const { addon } = backend;
  return Object.fromEntries(
    operations(backend).map(({ operation, name, inputs, attributes }, i) => {
      const found: number[] = [];
      for (let round = 0; round < rounds + 2; round++) {
        addon.mark(0);
        tf.dispose(made(backend, operation, inputs, attributes));
        addon.mark(1);
        if (round > 1) found.push(addon.between(0, 1));
      }
      return [`${i} ${name}`, middle(found)];
    }),
  );
}

async function backendHere(): Promise<TorchBackend> {
  await useTorch(kit.device, 'bfloat16');
  const backend = tf.backend();
  if (!(backend instanceof TorchBackend)) throw new Error(`torch is not the backend, but ${tf.getBackend()}`);
  return backend;
}

const backend = await backendHere();
if (process.argv[2] === 'aten') {
  console.log(JSON.stringify(times(backend)));
  process.exit();
}
const own = times(backend);
const tried = Object.entries(backend.addon.kernels());
for (const [what, reason] of tried) row({ what, ok: reason === '', ...(reason !== '' && { reason }) });
if (tried.length === 0) row({ what: 'kernels', missing: `${kit.device} has none of ours` });
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [...process.execArgv, fileURLToPath(import.meta.url), 'aten'],
  {
    encoding: 'utf8',
    env: { ...process.env, PATCHSTREAM_TORCH_KERNELS: 'aten' },
  },
);
const aten = status === 0 ? (JSON.parse(stdout) as Record<string, number>) : undefined;
if (aten === undefined) row({ what: "ATen's operations", error: errorLine(stderr) });
for (const [i, { name, bytes }] of operations(backend).entries()) {
  const [ms, theirs] = [own[`${i} ${name}`]!, aten?.[`${i} ${name}`]];
  row({
    what: name,
    ms: digits(ms, 3),
    gigabytes: digits(bytes / 1e6 / ms, 3),
    ...(theirs !== undefined && { aten: digits(theirs, 3), ratio: digits(theirs / ms, 3) }),
  });
}
process.exit();

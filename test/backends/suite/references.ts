/** The operations of models in float64, written as their formulas are: slow, and with no thought of how a backend does it. */

/** [n, d]·[d, m]. */
export function product(a: Float64Array, b: Float64Array, n: number, d: number, m: number): Float64Array {
  const out = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    const row = out.subarray(i * m, (i + 1) * m);
    for (let k = 0; k < d; k++) {
      const [value, from] = [a[i * d + k]!, k * m];
      for (let j = 0; j < m; j++) row[j]! += value * b[from + j]!;
    }
  }
  return out;
}

/** Layer normalisation of rows of D, eps 1e-6. */
export function normalisedRows(x: Float64Array, gain: Float64Array, bias: Float64Array): Float64Array {
  const D = gain.length;
  const out = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += D) {
    const values = x.subarray(row, row + D);
    const mean = values.reduce((a, b) => a + b) / D;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / D;
    for (let i = 0; i < D; i++) out[row + i] = ((values[i]! - mean) / Math.sqrt(variance + 1e-6)) * gain[i]! + bias[i]!;
  }
  return out;
}

/** x·Φ(x), Φ by Simpson's rule: no table and no error function shared with what is tested. */
export function gaussianUnits(x: Float64Array): Float64Array {
  return x.map((v) => v * normalCdf(v));
}

function normalCdf(x: number): number {
  const steps = 200;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const at = (x * i) / steps;
    sum += Math.exp(-0.5 * at * at) * (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2);
  }
  return 0.5 + (sum * x) / (3 * steps * Math.sqrt(2 * Math.PI));
}

/** Sizes of an attention: B sequences of T tokens, heads of d. */
export interface AttentionSizes {
  readonly B: number;
  readonly T: number;
  readonly heads: number;
  readonly d: number;
}

/** The bucket of a pair of tokens in tests. */
export const bucketOf = (i: number, j: number, buckets: number) => (3 * i + j) % buckets;

/** What attention has beside the table of keys: [d, buckets] for queries, [buckets, d] for values. */
export interface MoreTables {
  readonly queries?: Float64Array;
  readonly values?: Float64Array | undefined;
}

/** softmax(q·kᵀ/√d + scale·q·table[bucket] + scale·k·queries[bucket of (key, query)] + bias)·(v + values[bucket]) of qkv [B, T, 3hd]; table [d, buckets]; bias [h, T, T]. */
export function attended(
  qkv: Float64Array,
  { B, T, heads, d }: AttentionSizes,
  table?: Float64Array,
  tableScale = 1,
  bucket: (b: number, i: number, j: number, buckets: number) => number = (_, i, j, buckets) => bucketOf(i, j, buckets),
  bias?: Float64Array,
  { queries, values }: MoreTables = {},
): Float64Array {
  const out = new Float64Array(B * T * heads * d);
  const buckets = table === undefined ? 1 : table.length / d;
  const root = Math.sqrt(d);
  const shares = new Float64Array(T);
  /** Where the queries (0), keys (1) or values (2) of a token and head begin. */
  const at = (part: number, b: number, i: number, h: number) => (b * T + i) * 3 * heads * d + part * heads * d + h * d;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < T; i++) {
        const q = at(0, b, i, h);
        for (let j = 0; j < T; j++) {
          const k = at(1, b, j, h);
          const [there, back] = [bucket(b, i, j, buckets), bucket(b, j, i, buckets)];
          let logit = bias?.[(h * T + i) * T + j] ?? 0;
          for (let c = 0; c < d; c++) logit += (qkv[q + c]! * qkv[k + c]!) / root;
          if (table !== undefined)
            for (let c = 0; c < d; c++) logit += qkv[q + c]! * tableScale * table[c * buckets + there]!;
          if (queries !== undefined)
            for (let c = 0; c < d; c++) logit += qkv[k + c]! * tableScale * queries[c * buckets + back]!;
          shares[j] = Math.exp(logit);
        }
        const total = shares.reduce((x, y) => x + y);
        for (let j = 0; j < T; j++) {
          const v = at(2, b, j, h);
          const there = bucket(b, i, j, buckets) * d;
          for (let c = 0; c < d; c++) {
            const value = qkv[v + c]! + (values?.[there + c] ?? 0);
            out[(b * T + i) * heads * d + h * d + c]! += (shares[j]! / total) * value;
          }
        }
      }
    }
  }
  return out;
}

/** Rows of x [N, n, D] by ids [N, k]. */
export function gathered(x: Float64Array, ids: readonly (readonly number[])[], n: number, D: number): Float64Array {
  return Float64Array.from(
    ids.flatMap((of, sample) => of.flatMap((id) => [...x.subarray((sample * n + id) * D, (sample * n + id + 1) * D)])),
  );
}

/** 3 × 3 convolution of x [N, H, W, C] with w [3, 3, C, F], zero border, bias [F] or none. */
export function convolved(
  x: Float64Array,
  w: Float64Array,
  bias: Float64Array | undefined,
  [N, H, W, C]: readonly [number, number, number, number],
): Float64Array {
  const F = w.length / (9 * C);
  const out = new Float64Array(N * H * W * F);
  for (let at = 0; at < N * H * W; at++) {
    const [col, row, n] = [at % W, Math.floor(at / W) % H, Math.floor(at / (W * H))];
    // Whole rows of filters at a time: a model's width takes seconds otherwise.
    const sums = out.subarray(at * F, (at + 1) * F);
    if (bias !== undefined) sums.set(bias);
    for (let tap = 0; tap < 9; tap++) {
      const [r, c] = [row + Math.floor(tap / 3) - 1, col + (tap % 3) - 1];
      if (r < 0 || r >= H || c < 0 || c >= W) continue;
      for (let k = 0; k < C; k++) {
        const value = x[((n * H + r) * W + c) * C + k]!;
        const from = (tap * C + k) * F;
        for (let f = 0; f < F; f++) sums[f]! += value * w[from + f]!;
      }
    }
  }
  return out;
}

/** Numbers of one parameter under AdamW. */
export interface Moving {
  readonly p: Float64Array;
  readonly m: Float64Array;
  readonly v: Float64Array;
}

/** One step of AdamW, by its formula. */
export function adamwStep(
  { p, m, v }: Moving,
  g: Float64Array,
  at: { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number; step: number },
): Moving {
  const first = m.map((x, i) => at.beta1 * x + (1 - at.beta1) * g[i]!);
  const second = v.map((x, i) => at.beta2 * x + (1 - at.beta2) * g[i]! ** 2);
  const moved = p.map((x, i) => {
    const change = first[i]! / (1 - at.beta1 ** at.step) / (Math.sqrt(second[i]! / (1 - at.beta2 ** at.step)) + at.eps);
    return x - at.lr * at.weightDecay * x - at.lr * change;
  });
  return { p: moved, m: first, v: second };
}

// Attention over windows of at most 64 tokens, with heads of HEAD numbers, a multiple of 16 up to 64, and up to 64 buckets of relative positions. A block of four
// warps works on one head of one window: a warp on 16 queries. Products are the tensor cores', of bfloat16 with sums in float32. What has the size T² never leaves
// the block: the gradient computes it again.

constexpr int side = 64;
constexpr int stride = side + 8;  // so that the lanes of a warp read from different banks
constexpr int tiles = side / 8;
constexpr int headTiles = HEAD / 8;
constexpr int headSteps = HEAD / 16;
constexpr int widePerWarp = 16 * (side + 2);

// Numbers of bfloat16 in the block's memory, [64, 72].
typedef unsigned short Rows[side][stride];

struct Sizes {
  int T, heads, buckets;
  float scale, tableScale;
};

#ifdef __CUDACC__
extern __shared__ __align__(16) unsigned char memory[];

// sums += a·b for a [16, 16] and b [16, 8], each lane with its part of all three.
__device__ inline void multiply(float (&sums)[4], const unsigned (&a)[4], unsigned low, unsigned high) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "r"(high));
}
#endif

__device__ inline int laneRow() { return static_cast<int>(threadIdx.x % 32) / 4; }
__device__ inline int laneColumn() { return 2 * (static_cast<int>(threadIdx.x) % 4); }
__device__ inline int firstRow() { return 16 * static_cast<int>(threadIdx.x / 32); }

__device__ inline unsigned along(const Rows& of, int row, int column) { return *reinterpret_cast<const unsigned*>(&of[row][column]); }
__device__ inline unsigned across(const Rows& of, int row, int column) {
  return of[row][column] | static_cast<unsigned>(of[row + 1][column]) << 16;
}

// A lane's part of the left factor: rows from `row` on and columns from `column` on; transposed, columns and rows.
__device__ inline void left(unsigned (&a)[4], const Rows& of, int row, int column) {
  const int i = row + laneRow(), k = column + laneColumn();
  a[0] = along(of, i, k), a[1] = along(of, i + 8, k), a[2] = along(of, i, k + 8), a[3] = along(of, i + 8, k + 8);
}
__device__ inline void leftTransposed(unsigned (&a)[4], const Rows& of, int column, int row) {
  const int i = column + laneRow(), k = row + laneColumn();
  a[0] = across(of, k, i), a[1] = across(of, k, i + 8), a[2] = across(of, k + 8, i), a[3] = across(of, k + 8, i + 8);
}
// sums += a·of, of the rows from `row` on and the columns from `column` on; transposed, a·ofᵀ.
__device__ inline void multiplyBy(float (&sums)[4], const unsigned (&a)[4], const Rows& of, int row, int column) {
  const int k = row + laneColumn(), j = column + laneRow();
  multiply(sums, a, across(of, k, j), across(of, k + 8, j));
}
__device__ inline void multiplyByTransposed(float (&sums)[4], const unsigned (&a)[4], const Rows& of, int row, int column) {
  const int j = row + laneRow(), k = column + laneColumn();
  multiply(sums, a, along(of, j, k), along(of, j, k + 8));
}

// `rows` rows of HEAD numbers, `apart` numbers from each other; zeros behind them.
__device__ void fill(Rows& to, const Bfloat16* from, long long apart, int rows) {
  constexpr int parts = HEAD / 8;
  for (int i = static_cast<int>(threadIdx.x); i < side * parts; i += blockDim.x) {
    const int row = i / parts, column = 8 * (i % parts);
    *reinterpret_cast<uint4*>(&to[row][column]) = row < rows ? *reinterpret_cast<const uint4*>(from + row * apart + column) : make_uint4(0, 0, 0, 0);
  }
}

// The logits of a warp's 16 queries, −∞ behind the last key. `wide` is the warp's own memory, ids [T, T] or nothing.
__device__ void logitsOf(float (&logits)[tiles][4], const Rows& q, const Rows& k, const Rows& table, float* wide, const int* ids, const Sizes& at) {
  unsigned queries[headSteps][4];
#pragma unroll
  for (int step = 0; step < headSteps; step++) left(queries[step], q, firstRow(), 16 * step);
#pragma unroll
  for (int tile = 0; tile < tiles; tile++) {
    float sums[4] = {0, 0, 0, 0};
#pragma unroll
    for (int step = 0; step < headSteps; step++) multiplyByTransposed(sums, queries[step], k, 8 * tile, 16 * step);
#pragma unroll
    for (int e = 0; e < 4; e++) logits[tile][e] = sums[e] * at.scale;
  }
  if (ids != nullptr) {
#pragma unroll
    for (int tile = 0; tile < tiles; tile++) {
      float sums[4] = {0, 0, 0, 0};
#pragma unroll
      for (int step = 0; step < headSteps; step++) multiplyByTransposed(sums, queries[step], table, 8 * tile, 16 * step);
#pragma unroll
      for (int e = 0; e < 4; e++) wide[(laneRow() + 8 * (e / 2)) * (side + 2) + 8 * tile + laneColumn() + e % 2] = sums[e] * at.tableScale;
    }
    __syncwarp();
  }
#pragma unroll
  for (int tile = 0; tile < tiles; tile++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int inWarp = laneRow() + 8 * (e / 2), row = firstRow() + inWarp, column = 8 * tile + laneColumn() + e % 2;
      if (column >= at.T) logits[tile][e] = __uint_as_float(0xff800000u);
      else if (ids != nullptr && row < at.T) logits[tile][e] += wide[inWarp * (side + 2) + ids[row * at.T + column]];
    }
  __syncwarp();
}

// The sum, or the largest, over the four lanes that share a row.
__device__ inline float rowSum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ inline float rowMost(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

// Two neighbours of a lane's part [16, 8] of a result, as bfloat16: of the upper row (0) or the lower (1).
__device__ inline void keep(Rows& to, const float (&part)[4], int lower, int row, int column) {
  *reinterpret_cast<unsigned*>(&to[row + laneRow() + 8 * lower][column + laneColumn()]) = bothHalves(part[2 * lower], part[2 * lower + 1]);
}
// Rows below T alone, `apart` numbers from each other.
__device__ inline void write(Bfloat16* to, long long apart, const float (&part)[4], float factor, int row, int column, int T) {
#pragma unroll
  for (int lower = 0; lower < 2; lower++) {
    const int i = row + laneRow() + 8 * lower;
    if (i < T) putPair(to + i * apart + column + laneColumn(), {part[2 * lower] * factor, part[2 * lower + 1] * factor});
  }
}

// y = softmax(q·kᵀ·scale + tableScale·q·tableᵀ[:, ids])·v, and for the gradient the logarithm of the softmax's sums. qkv [B, T, 3·heads·HEAD], table [buckets, HEAD]
// and ids [T, T], or nothing; y [B, T, heads·HEAD], sums [B, heads, T]. A block a head.
extern "C" __global__ void __launch_bounds__(128) window_attention(const Bfloat16* qkv, const Bfloat16* table, const int* ids, Bfloat16* y, float* sums,
                                                                   Sizes at) {
  Rows* const rows = reinterpret_cast<Rows*>(memory);
  Rows &q = rows[0], &k = rows[1], &v = rows[2], &vectors = rows[3];
  float* const wide = reinterpret_cast<float*>(rows + 4) + threadIdx.x / 32 * widePerWarp;
  const long long width = static_cast<long long>(at.heads) * HEAD;
  const long long window = blockIdx.x / at.heads, head = blockIdx.x % at.heads;
  const Bfloat16* from = qkv + window * at.T * 3 * width + head * HEAD;
  fill(q, from, 3 * width, at.T);
  fill(k, from + width, 3 * width, at.T);
  fill(v, from + 2 * width, 3 * width, at.T);
  if (ids != nullptr) fill(vectors, table, HEAD, at.buckets);
  __syncthreads();
  float shares[tiles][4];
  logitsOf(shares, q, k, vectors, wide, ids, at);
#pragma unroll
  for (int lower = 0; lower < 2; lower++) {
    float most = shares[0][2 * lower];
#pragma unroll
    for (int tile = 0; tile < tiles; tile++) most = fmaxf(most, fmaxf(shares[tile][2 * lower], shares[tile][2 * lower + 1]));
    most = rowMost(most);
    float sum = 0;
#pragma unroll
    for (int tile = 0; tile < tiles; tile++)
#pragma unroll
      for (int e = 2 * lower; e < 2 * lower + 2; e++) sum += shares[tile][e] = __expf(shares[tile][e] - most);
    sum = rowSum(sum);
#pragma unroll
    for (int tile = 0; tile < tiles; tile++)
#pragma unroll
      for (int e = 2 * lower; e < 2 * lower + 2; e++) shares[tile][e] /= sum;
    const int row = firstRow() + laneRow() + 8 * lower;
    if (laneColumn() == 0 && row < at.T) sums[(window * at.heads + head) * at.T + row] = most + logf(sum);
  }
  unsigned factors[side / 16][4];
#pragma unroll
  for (int step = 0; step < side / 16; step++)
#pragma unroll
    for (int part = 0; part < 4; part++)
      factors[step][part] = bothHalves(shares[2 * step + part / 2][2 * (part % 2)], shares[2 * step + part / 2][2 * (part % 2) + 1]);
  Bfloat16* to = y + window * at.T * width + head * HEAD;
#pragma unroll
  for (int tile = 0; tile < headTiles; tile++) {
    float part[4] = {0, 0, 0, 0};
#pragma unroll
    for (int step = 0; step < side / 16; step++) multiplyBy(part, factors[step], v, 16 * step, 8 * tile);
    write(to, width, part, 1, firstRow(), 8 * tile, at.T);
  }
}

// The keys of each query in the order of their buckets, and where each bucket's end: so that a bucket's sum is made by one lane, in one order.
struct ByBucket {
  unsigned char keys[side][side];
  unsigned char ends[side][side];
};
__device__ void sortByBucket(ByBucket& to, const int* ids, const Sizes& at) {
  for (int row = static_cast<int>(threadIdx.x); row < at.T; row += blockDim.x) {
    unsigned char* const places = to.ends[row];
    const int* const own = ids + row * at.T;
    for (int bucket = 0; bucket < at.buckets; bucket++) places[bucket] = 0;
    for (int key = 0; key < at.T; key++) places[own[key]]++;
    unsigned char begin = 0;
    for (int bucket = 0; bucket < at.buckets; bucket++) {
      const unsigned char keys = places[bucket];
      places[bucket] = begin;
      begin += keys;
    }
    for (int key = 0; key < at.T; key++) to.keys[row][places[own[key]]++] = static_cast<unsigned char>(key);
  }
}

// The gradient by qkv, and the sums of the gradient by the table over this block's heads. dy as y; sums as `window_attention` gives them; dTable
// [gridDim.x, 64, HEAD].
extern "C" __global__ void __launch_bounds__(128) window_attention_gradient(const Bfloat16* dy, const Bfloat16* qkv, const float* sums, const Bfloat16* table,
                                                                            const int* ids, Bfloat16* dqkv, float* dTable, int count, Sizes at) {
  Rows* const rows = reinterpret_cast<Rows*>(memory);
  Rows &q = rows[0], &k = rows[1], &v = rows[2], &vectors = rows[3], &change = rows[4], &dLogits = rows[5], &dPerBucket = rows[6];
  float* const allWide = reinterpret_cast<float*>(rows + 7);
  float* const wide = allWide + threadIdx.x / 32 * widePerWarp;
  ByBucket& byBucket = *reinterpret_cast<ByBucket*>(allWide + 4 * widePerWarp);
  const long long width = static_cast<long long>(at.heads) * HEAD;
  float tableSums[headTiles][4] = {};
  if (ids != nullptr) {
    fill(vectors, table, HEAD, at.buckets);
    sortByBucket(byBucket, ids, at);
  }
  for (int i = static_cast<int>(blockIdx.x); i < count; i += static_cast<int>(gridDim.x)) {
    const long long window = i / at.heads, head = i % at.heads;
    const long long first = window * at.T * 3 * width + head * HEAD;
    __syncthreads();
    fill(q, qkv + first, 3 * width, at.T);
    fill(k, qkv + first + width, 3 * width, at.T);
    fill(v, qkv + first + 2 * width, 3 * width, at.T);
    fill(change, dy + window * at.T * width + head * HEAD, width, at.T);
    __syncthreads();
    float shares[tiles][4], changes[tiles][4];
    logitsOf(shares, q, k, vectors, wide, ids, at);
#pragma unroll
    for (int lower = 0; lower < 2; lower++) {
      const int row = firstRow() + laneRow() + 8 * lower;
      const float sum = row < at.T ? sums[static_cast<long long>(i) * at.T + row] : 0;
#pragma unroll
      for (int tile = 0; tile < tiles; tile++)
#pragma unroll
        for (int e = 2 * lower; e < 2 * lower + 2; e++) shares[tile][e] = row < at.T ? __expf(shares[tile][e] - sum) : 0;
    }
    unsigned factors[headSteps][4];
#pragma unroll
    for (int step = 0; step < headSteps; step++) left(factors[step], change, firstRow(), 16 * step);
#pragma unroll
    for (int tile = 0; tile < tiles; tile++) {
#pragma unroll
      for (int e = 0; e < 4; e++) changes[tile][e] = 0;
#pragma unroll
      for (int step = 0; step < headSteps; step++) multiplyByTransposed(changes[tile], factors[step], v, 8 * tile, 16 * step);
    }
#pragma unroll
    for (int lower = 0; lower < 2; lower++) {
      float mean = 0;
#pragma unroll
      for (int tile = 0; tile < tiles; tile++)
#pragma unroll
        for (int e = 2 * lower; e < 2 * lower + 2; e++) mean += shares[tile][e] * changes[tile][e];
      mean = rowSum(mean);
#pragma unroll
      for (int tile = 0; tile < tiles; tile++) {
#pragma unroll
        for (int e = 2 * lower; e < 2 * lower + 2; e++) {
          changes[tile][e] = (changes[tile][e] - mean) * shares[tile][e];
          wide[(laneRow() + 8 * lower) * (side + 2) + 8 * tile + laneColumn() + e % 2] = changes[tile][e];
        }
        keep(dLogits, changes[tile], lower, firstRow(), 8 * tile);
      }
    }
    __syncwarp();
    if (ids != nullptr)
      for (int place = static_cast<int>(threadIdx.x % 32); place < 16 * side; place += 32) {
        const int inWarp = place / side, bucket = place % side, row = firstRow() + inWarp;
        float sum = 0;
        if (row < at.T && bucket < at.buckets)
          for (int key = bucket == 0 ? 0 : byBucket.ends[row][bucket - 1]; key < byBucket.ends[row][bucket]; key++)
            sum += wide[inWarp * (side + 2) + byBucket.keys[row][key]];
        dPerBucket[row][bucket] = upperHalf(sum);
      }
    // From here on the place of v holds the shares.
    __syncthreads();
#pragma unroll
    for (int tile = 0; tile < tiles; tile++)
#pragma unroll
      for (int lower = 0; lower < 2; lower++) keep(v, shares[tile], lower, firstRow(), 8 * tile);
    __syncthreads();
    Bfloat16* const to = dqkv + first;
    unsigned logitRows[4][4], bucketRows[4][4], logitColumns[4][4], shareColumns[4][4], bucketColumns[4][4];
#pragma unroll
    for (int step = 0; step < 4; step++) {
      left(logitRows[step], dLogits, firstRow(), 16 * step);
      leftTransposed(logitColumns[step], dLogits, firstRow(), 16 * step);
      leftTransposed(shareColumns[step], v, firstRow(), 16 * step);
      if (ids == nullptr) continue;
      left(bucketRows[step], dPerBucket, firstRow(), 16 * step);
      leftTransposed(bucketColumns[step], dPerBucket, firstRow(), 16 * step);
    }
#pragma unroll
    for (int tile = 0; tile < headTiles; tile++) {
      float dq[4] = {0, 0, 0, 0}, byTable[4] = {0, 0, 0, 0}, dk[4] = {0, 0, 0, 0}, dv[4] = {0, 0, 0, 0};
#pragma unroll
      for (int step = 0; step < 4; step++) {
        multiplyBy(dq, logitRows[step], k, 16 * step, 8 * tile);
        multiplyBy(dk, logitColumns[step], q, 16 * step, 8 * tile);
        multiplyBy(dv, shareColumns[step], change, 16 * step, 8 * tile);
        if (ids == nullptr) continue;
        multiplyBy(byTable, bucketRows[step], vectors, 16 * step, 8 * tile);
        multiplyBy(tableSums[tile], bucketColumns[step], q, 16 * step, 8 * tile);
      }
#pragma unroll
      for (int e = 0; e < 4; e++) dq[e] = dq[e] * at.scale + byTable[e] * at.tableScale;
      write(to, 3 * width, dq, 1, firstRow(), 8 * tile, at.T);
      write(to + width, 3 * width, dk, at.scale, firstRow(), 8 * tile, at.T);
      write(to + 2 * width, 3 * width, dv, 1, firstRow(), 8 * tile, at.T);
    }
  }
  if (ids == nullptr) return;
#pragma unroll
  for (int tile = 0; tile < headTiles; tile++)
#pragma unroll
    for (int lower = 0; lower < 2; lower++) {
      const int bucket = firstRow() + laneRow() + 8 * lower;
      putPair(dTable + (static_cast<long long>(blockIdx.x) * side + bucket) * HEAD + 8 * tile + laneColumn(),
              {tableSums[tile][2 * lower] * at.tableScale, tableSums[tile][2 * lower + 1] * at.tableScale});
    }
}

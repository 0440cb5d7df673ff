// What comes after the product of a linear layer in bfloat16, and before the products of its gradient. `width` is a multiple of 8; a thread works on eight
// numbers of a row at a time.

// y = pre + bias or its GELU, x·Φ(x); `saved`, where GELU's gradient is to come, pre + bias. pre, y and saved [rows, width], of `count` eights; bias [width], or
// nothing.
template <bool gelu, class Out>
__device__ void after(const Bfloat16* pre, const float* bias, Out* y, Bfloat16* saved, unsigned count, unsigned width) {
  const unsigned apart = gridDim.x * blockDim.x;
  for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += apart) {
    const unsigned long long at = 8ull * i;
    Eight x = eightAt(pre + at);
    if (bias != nullptr) {
      const Eight shift = eightAt(bias + 8 * (i % (width / 8)));
#pragma unroll
      for (int k = 0; k < 8; k++) x.at[k] += shift.at[k];
    }
    if (gelu) {
      putEight(saved + at, x);
#pragma unroll
      for (int k = 0; k < 8; k++) x.at[k] *= shareBelow(x.at[k]);
    }
    putEight(y + at, x);
  }
}

extern "C" __global__ void linear_after(const Bfloat16* pre, const float* bias, float* y, unsigned count, unsigned width) {
  after<false>(pre, bias, y, nullptr, count, width);
}
extern "C" __global__ void linear_after_narrow(const Bfloat16* pre, const float* bias, Bfloat16* y, unsigned count, unsigned width) {
  after<false>(pre, bias, y, nullptr, count, width);
}
extern "C" __global__ void linear_after_gelu(const Bfloat16* pre, const float* bias, float* y, Bfloat16* saved, unsigned count,
                                             unsigned width) {
  after<true>(pre, bias, y, saved, count, width);
}
extern "C" __global__ void linear_after_gelu_narrow(const Bfloat16* pre, const float* bias, Bfloat16* y, Bfloat16* saved, unsigned count,
                                                    unsigned width) {
  after<true>(pre, bias, y, saved, count, width);
}

// The derivative of x·Φ(x).
__device__ inline float slopeOfGelu(float x) { return shareBelow(x) + x * (0.3989422804014327f * expf(-0.5f * x * x)); }

constexpr int rowsAtOnce = 8;
constexpr int columnsAtOnce = 256;

// change = dy, or dy·gelu'(saved), rounded; sums[part, column] = the sum of the unrounded over the rows of this part. A block is 32 × 8 threads for 256
// columns and `rowsPerPart` rows. dy, saved and change [rows, width], sums [gridDim.y, width].
template <bool gelu, class In>
__device__ void before(const In* dy, const Bfloat16* saved, Bfloat16* change, float* sums, unsigned rows, unsigned width,
                       unsigned rowsPerPart) {
  __shared__ float parts[rowsAtOnce][columnsAtOnce];
  const unsigned column = blockIdx.x * columnsAtOnce + 8 * threadIdx.x;
  const unsigned from = blockIdx.y * rowsPerPart;
  const unsigned end = min(rows, from + rowsPerPart);
  Eight sum = {};
  if (column < width)
    for (unsigned row = from + threadIdx.y; row < end; row += rowsAtOnce) {
      const unsigned long long at = static_cast<unsigned long long>(row) * width + column;
      Eight x = eightAt(dy + at);
      if (gelu) {
        const Eight pre = eightAt(saved + at);
#pragma unroll
        for (int k = 0; k < 8; k++) x.at[k] *= slopeOfGelu(pre.at[k]);
      }
      putEight(change + at, x);
#pragma unroll
      for (int k = 0; k < 8; k++) sum.at[k] += x.at[k];
    }
#pragma unroll
  for (int k = 0; k < 8; k++) parts[threadIdx.y][8 * threadIdx.x + k] = sum.at[k];
  __syncthreads();
  const unsigned mine = threadIdx.y * 32 + threadIdx.x;
  const unsigned to = blockIdx.x * columnsAtOnce + mine;
  if (to >= width) return;
  float total = 0;
  for (int i = 0; i < rowsAtOnce; i++) total += parts[i][mine];
  sums[static_cast<unsigned long long>(blockIdx.y) * width + to] = total;
}

extern "C" __global__ void linear_before(const float* dy, Bfloat16* change, float* sums, unsigned rows, unsigned width, unsigned rowsPerPart) {
  before<false>(dy, nullptr, change, sums, rows, width, rowsPerPart);
}
extern "C" __global__ void linear_before_narrow(const Bfloat16* dy, Bfloat16* change, float* sums, unsigned rows, unsigned width,
                                                unsigned rowsPerPart) {
  before<false>(dy, nullptr, change, sums, rows, width, rowsPerPart);
}
extern "C" __global__ void linear_before_gelu(const float* dy, const Bfloat16* saved, Bfloat16* change, float* sums, unsigned rows,
                                              unsigned width, unsigned rowsPerPart) {
  before<true>(dy, saved, change, sums, rows, width, rowsPerPart);
}
extern "C" __global__ void linear_before_gelu_narrow(const Bfloat16* dy, const Bfloat16* saved, Bfloat16* change, float* sums, unsigned rows,
                                                     unsigned width, unsigned rowsPerPart) {
  before<true>(dy, saved, change, sums, rows, width, rowsPerPart);
}

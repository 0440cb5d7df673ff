// Layer normalisation over rows of WIDTH numbers, a multiple of 64 which is known when this is compiled: a warp works on a row, and keeps it in registers.
constexpr int width = WIDTH;
constexpr int pairs = width / 64;
constexpr int warpsOfBlock = 8;

__device__ inline int columnOf(int pair) { return 64 * pair + 2 * static_cast<int>(threadIdx.x % 32); }

// y = (x − mean)·rstd·gain + bias, rstd = 1/√(var + eps). x and y [rows, WIDTH], mean and rstd [rows].
template <class Out>
__device__ void normalise(const float* x, const float* gain, const float* bias, Out* y, float* mean, float* rstd, unsigned rows, float eps) {
  const unsigned row = blockIdx.x * warpsOfBlock + threadIdx.x / 32;
  if (row >= rows) return;
  const float* from = x + static_cast<unsigned long long>(row) * width;
  Out* to = y + static_cast<unsigned long long>(row) * width;
  Pair values[pairs];
  float sum = 0;
#pragma unroll
  for (int i = 0; i < pairs; i++) {
    values[i] = pairAt(from + columnOf(i));
    sum += values[i].first + values[i].second;
  }
  const float centre = warpSum(sum) / width;
  float squares = 0;
#pragma unroll
  for (int i = 0; i < pairs; i++) {
    values[i] = {values[i].first - centre, values[i].second - centre};
    squares += values[i].first * values[i].first + values[i].second * values[i].second;
  }
  const float scale = 1 / sqrtf(warpSum(squares) / width + eps);
#pragma unroll
  for (int i = 0; i < pairs; i++) {
    const Pair factor = pairAt(gain + columnOf(i));
    const Pair shift = pairAt(bias + columnOf(i));
    putPair(to + columnOf(i), {values[i].first * scale * factor.first + shift.first, values[i].second * scale * factor.second + shift.second});
  }
  if (threadIdx.x % 32 == 0) {
    mean[row] = centre;
    rstd[row] = scale;
  }
}

extern "C" __global__ void __launch_bounds__(256) layer_norm(const float* x, const float* gain, const float* bias, float* y, float* mean,
                                                       float* rstd, unsigned rows, float eps) {
  normalise(x, gain, bias, y, mean, rstd, rows, eps);
}
extern "C" __global__ void __launch_bounds__(256) layer_norm_narrow(const float* x, const float* gain, const float* bias, Bfloat16* y, float* mean,
                                                              float* rstd, unsigned rows, float eps) {
  normalise(x, gain, bias, y, mean, rstd, rows, eps);
}

// dx, and the sums of dGain and dBias over this block's rows, in one pass over dy and x. sums [gridDim.x, 2, WIDTH].
template <class In>
__device__ void gradient(const In* dy, const float* x, const float* mean, const float* rstd, const float* gain, float* dx, float* sums,
                         unsigned rows) {
  __shared__ __align__(8) float both[2 * width];
  Pair gains[pairs], biases[pairs];
#pragma unroll
  for (int i = 0; i < pairs; i++) gains[i] = biases[i] = {0, 0};
  for (unsigned row = blockIdx.x * warpsOfBlock + threadIdx.x / 32; row < rows; row += gridDim.x * warpsOfBlock) {
    const unsigned long long at = static_cast<unsigned long long>(row) * width;
    const float centre = mean[row], scale = rstd[row];
    Pair units[pairs], changes[pairs];
    float sum = 0, along = 0;
#pragma unroll
    for (int i = 0; i < pairs; i++) {
      const Pair value = pairAt(x + at + columnOf(i)), change = pairAt(dy + at + columnOf(i)), factor = pairAt(gain + columnOf(i));
      const Pair unit = {(value.first - centre) * scale, (value.second - centre) * scale};
      gains[i] = {gains[i].first + change.first * unit.first, gains[i].second + change.second * unit.second};
      biases[i] = {biases[i].first + change.first, biases[i].second + change.second};
      units[i] = unit;
      changes[i] = {change.first * factor.first, change.second * factor.second};
      sum += changes[i].first + changes[i].second;
      along += changes[i].first * unit.first + changes[i].second * unit.second;
    }
    sum = warpSum(sum) / width;
    along = warpSum(along) / width;
#pragma unroll
    for (int i = 0; i < pairs; i++)
      putPair(dx + at + columnOf(i), {(changes[i].first - sum - units[i].first * along) * scale,
                                      (changes[i].second - sum - units[i].second * along) * scale});
  }
  // One warp after the other, so that the sums come out the same each time.
  for (int warp = 0; warp < warpsOfBlock; warp++) {
    if (static_cast<int>(threadIdx.x / 32) == warp) {
#pragma unroll
      for (int i = 0; i < pairs; i++) {
        const int column = columnOf(i);
        const Pair gainSum = warp == 0 ? Pair{0, 0} : pairAt(both + column), biasSum = warp == 0 ? Pair{0, 0} : pairAt(both + width + column);
        putPair(both + column, {gainSum.first + gains[i].first, gainSum.second + gains[i].second});
        putPair(both + width + column, {biasSum.first + biases[i].first, biasSum.second + biases[i].second});
      }
    }
    __syncthreads();
  }
  for (int i = static_cast<int>(threadIdx.x); i < 2 * width; i += blockDim.x)
    sums[static_cast<unsigned long long>(blockIdx.x) * 2 * width + i] = both[i];
}

extern "C" __global__ void __launch_bounds__(256) layer_norm_gradient(const float* dy, const float* x, const float* mean, const float* rstd,
                                                                const float* gain, float* dx, float* sums, unsigned rows) {
  gradient(dy, x, mean, rstd, gain, dx, sums, rows);
}
extern "C" __global__ void __launch_bounds__(256) layer_norm_gradient_narrow(const Bfloat16* dy, const float* x, const float* mean,
                                                                       const float* rstd, const float* gain, float* dx, float* sums,
                                                                       unsigned rows) {
  gradient(dy, x, mean, rstd, gain, dx, sums, rows);
}

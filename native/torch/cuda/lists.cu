// What a training step does with all of a model's tensors at once: one launch for all of them. The tensors are cut into pieces; a block works on one.

// Some numbers of one tensor, and those at the same place of its gradient and its moments, where these are asked for.
struct Piece {
  float* numbers;
  float* gradient;
  float* first;
  float* second;
  float decay;  // of the weight
  unsigned count;
};

// One step of AdamW: m = m·beta1 + g·rest1, v = v·beta2 + g²·rest2, p = p·(1 − lr·decay) − rate·m/(√v·correction + eps), g the scaled gradient, which is zero
// afterwards. rate = lr/(1 − beta1ᵗ), correction = 1/√(1 − beta2ᵗ).
struct Setting {
  float lr, rate, correction, beta1, rest1, beta2, rest2, eps, scale;
};

extern "C" __global__ void adamw(const Piece* pieces, Setting at) {
  const Piece piece = pieces[blockIdx.x];
  const float keep = 1 - at.lr * piece.decay;
  for (unsigned i = threadIdx.x; i < piece.count; i += blockDim.x) {
    const float gradient = piece.gradient[i] * at.scale;
    const float m = piece.first[i] * at.beta1 + gradient * at.rest1;
    const float v = piece.second[i] * at.beta2 + gradient * gradient * at.rest2;
    piece.gradient[i] = 0;
    piece.first[i] = m;
    piece.second[i] = v;
    piece.numbers[i] = piece.numbers[i] * keep - at.rate * m / (sqrtf(v) * at.correction + at.eps);
  }
}

// The sum of a block's threads, in the first of them. At most 1024 threads, whole warps.
__device__ double blockSum(double x) {
  __shared__ double warps[32];
  x = warpSum(x);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  return threadIdx.x < 32 ? warpSum(threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0.0) : 0.0;
}

// The sum of the squares of each piece, in float64.
extern "C" __global__ void squares_of_pieces(const Piece* pieces, double* sums) {
  const Piece piece = pieces[blockIdx.x];
  double sum = 0;
#pragma unroll 4
  for (unsigned i = threadIdx.x; i < piece.count; i += blockDim.x) {
    const double x = piece.numbers[i];
    sum += x * x;
  }
  sum = blockSum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// The sum of each tensor's pieces, which are those from ends[tensor − 1], or 0, to ends[tensor]. A block a tensor.
extern "C" __global__ void squares_of_tensors(const double* sums, const unsigned* ends, float* squares) {
  const unsigned begin = blockIdx.x == 0 ? 0 : ends[blockIdx.x - 1];
  double sum = 0;
  for (unsigned i = begin + threadIdx.x; i < ends[blockIdx.x]; i += blockDim.x) sum += sums[i];
  sum = blockSum(sum);
  if (threadIdx.x == 0) squares[blockIdx.x] = static_cast<float>(sum);
}

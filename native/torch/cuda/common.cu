// What the kernels share. Each text is compiled behind this one: by NVRTC for a device, and by the tests' C++ compiler for the host.

// A number of bfloat16, the upper half of a float32.
struct Bfloat16 {
  unsigned short bits;
};

__device__ inline float wide(float x) { return x; }
__device__ inline float wide(Bfloat16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }

// To the nearest, ties to even; what is no number stays none.
__device__ inline unsigned short upperHalf(float x) {
  const unsigned bits = __float_as_uint(x);
  return static_cast<unsigned short>(x == x ? (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16 : 0x7fc0u);
}
__device__ inline unsigned bothHalves(float first, float second) {
  return upperHalf(first) | static_cast<unsigned>(upperHalf(second)) << 16;
}
__device__ inline void put(float* to, float x) { *to = x; }
__device__ inline void put(Bfloat16* to, float x) { to->bits = upperHalf(x); }

// Two numbers that lie side by side, read and written as one.
struct Pair {
  float first, second;
};
__device__ inline Pair pairAt(const float* from) {
  const float2 both = *reinterpret_cast<const float2*>(from);
  return {both.x, both.y};
}
__device__ inline Pair pairAt(const Bfloat16* from) {
  const unsigned both = *reinterpret_cast<const unsigned*>(from);
  return {__uint_as_float(both << 16), __uint_as_float(both & 0xffff0000u)};
}
__device__ inline void putPair(float* to, Pair x) { *reinterpret_cast<float2*>(to) = make_float2(x.first, x.second); }
__device__ inline void putPair(Bfloat16* to, Pair x) {
  *reinterpret_cast<unsigned*>(to) = bothHalves(x.first, x.second);
}

// Eight numbers that lie side by side from a multiple of 16 bytes on, read and written in the widest words that there are.
struct Eight {
  float at[8];
};
__device__ inline Eight eightAt(const float* from) {
  const float4 low = reinterpret_cast<const float4*>(from)[0], high = reinterpret_cast<const float4*>(from)[1];
  return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}
__device__ inline Eight eightAt(const Bfloat16* from) {
  const uint4 all = *reinterpret_cast<const uint4*>(from);
  const unsigned words[4] = {all.x, all.y, all.z, all.w};
  Eight x;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    x.at[2 * i] = __uint_as_float(words[i] << 16);
    x.at[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
  return x;
}
__device__ inline void putEight(float* to, const Eight& x) {
  reinterpret_cast<float4*>(to)[0] = make_float4(x.at[0], x.at[1], x.at[2], x.at[3]);
  reinterpret_cast<float4*>(to)[1] = make_float4(x.at[4], x.at[5], x.at[6], x.at[7]);
}
__device__ inline void putEight(Bfloat16* to, const Eight& x) {
  *reinterpret_cast<uint4*>(to) = make_uint4(bothHalves(x.at[0], x.at[1]), bothHalves(x.at[2], x.at[3]), bothHalves(x.at[4], x.at[5]),
                                             bothHalves(x.at[6], x.at[7]));
}

// The sum over the lanes of a warp, in each of them.
template <class Number>
__device__ Number warpSum(Number x) {
  for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart);
  return x;
}

// Φ(x), the share of the normal distribution below x.
__device__ inline float shareBelow(float x) { return 0.5f * (1 + erff(x * 0.70710678118654752f)); }

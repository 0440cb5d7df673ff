// CRC-32 by carry-less multiplication: 64 bytes at a time are folded onto the 64 that follow, then 16 onto 16, and a table does what is left. A message is
// a polynomial over GF(2) in which the first bit is the highest power; folding multiplies what lies d bits ahead by x^d modulo CRC-32's polynomial, which
// leaves the remainder as it is. After V. Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ", Intel 2009.
#include "crc32.h"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace patchstream {

namespace {

constexpr std::array<uint32_t, 256> makeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
    table[i] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> table = makeTable();

uint32_t byTable(uint32_t state, const uint8_t* bytes, size_t length) {
  for (size_t i = 0; i < length; i++) state = table[(state ^ bytes[i]) & 0xff] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)

// x^power modulo the polynomial, in the bit order of the data (bit 31 is x^0), one place up, as the product of two reflected numbers wants it.
constexpr uint64_t powerOfX(int power) {
  uint32_t value = 0x80000000u;
  for (int i = 0; i < power; i++) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
  return static_cast<uint64_t>(value) << 1;
}

__attribute__((target("pclmul,sse4.1"))) inline __m128i folded(__m128i ahead, __m128i powers, __m128i behind) {
  const __m128i low = _mm_clmulepi64_si128(ahead, powers, 0x00);
  const __m128i high = _mm_clmulepi64_si128(ahead, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), behind);
}

inline __m128i load(const uint8_t* bytes) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)); }

// `length` is 64 at least.
__attribute__((target("pclmul,sse4.1"))) uint32_t byFolding(uint32_t state, const uint8_t* bytes, size_t length) {
  // Of the 16 bytes, the first 8 are 64 bits further ahead than the others; products of reflected numbers are 32 bits wider than their place.
  const __m128i over64 = _mm_set_epi64x(powerOfX(512 - 32), powerOfX(512 + 32));
  const __m128i over16 = _mm_set_epi64x(powerOfX(128 - 32), powerOfX(128 + 32));
  __m128i lanes[4];
  for (int i = 0; i < 4; i++) lanes[i] = load(bytes + 16 * i);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  bytes += 64;
  length -= 64;
  for (; length >= 64; bytes += 64, length -= 64) {
    for (int i = 0; i < 4; i++) lanes[i] = folded(lanes[i], over64, load(bytes + 16 * i));
  }
  __m128i all = lanes[0];
  for (int i = 1; i < 4; i++) all = folded(all, over16, lanes[i]);
  for (; length >= 16; bytes += 16, length -= 16) all = folded(all, over16, load(bytes));
  alignas(16) uint8_t rest[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(rest), all);
  return byTable(byTable(0, rest, sizeof rest), bytes, length);
}

#endif

}  // namespace

bool hasCrc32() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#else
  return false;
#endif
}

uint32_t crc32(uint32_t before, const uint8_t* bytes, size_t length) {
  const uint32_t state = ~before;
#if defined(__x86_64__)
  static const bool quick = hasCrc32();
  if (quick && length >= 64) return ~byFolding(state, bytes, length);
#endif
  return ~byTable(state, bytes, length);
}

}  // namespace patchstream

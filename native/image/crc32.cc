// CRC-32 by carry-less multiplication: 256 bytes at a time are folded onto the 256 that follow where the processor has registers for that, then 64 onto 64,
// 16 onto 16, and a table does what is left. A message is a polynomial over GF(2) in which the first bit is the highest power; folding multiplies what lies
// d bits ahead by x^d modulo CRC-32's polynomial, which leaves the remainder as it is. After V. Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ", Intel 2009.
#include "crc32.h"

#include <array>
#include <vector>

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

// What lies d bits ahead, 64 bits of it a little further than the others; products of reflected numbers are 32 bits wider than their place.
struct Powers {
  uint64_t near;
  uint64_t far;
};

constexpr Powers over(int bits) { return {powerOfX(bits - 32), powerOfX(bits + 32)}; }

constexpr Powers over256 = over(2048);
constexpr Powers over64 = over(512);
constexpr Powers over16 = over(128);

#define FOLDS __attribute__((target("pclmul,sse4.1")))
#define FOLDS_WIDE __attribute__((target("pclmul,sse4.1,avx512f,vpclmulqdq")))

FOLDS inline __m128i narrow(const Powers& powers) { return _mm_set_epi64x(static_cast<int64_t>(powers.near), static_cast<int64_t>(powers.far)); }

FOLDS inline __m128i folded(__m128i ahead, __m128i powers, __m128i behind) {
  const __m128i low = _mm_clmulepi64_si128(ahead, powers, 0x00);
  const __m128i high = _mm_clmulepi64_si128(ahead, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), behind);
}

inline __m128i load(const uint8_t* bytes) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)); }

// Ends what four lanes of 16 bytes have begun, with all that follows them.
FOLDS inline uint32_t ended(__m128i lanes[4], const uint8_t* bytes, size_t length) {
  const __m128i far = narrow(over64);
  const __m128i near = narrow(over16);
  for (; length >= 64; bytes += 64, length -= 64) {
    for (int i = 0; i < 4; i++) lanes[i] = folded(lanes[i], far, load(bytes + 16 * i));
  }
  __m128i all = lanes[0];
  for (int i = 1; i < 4; i++) all = folded(all, near, lanes[i]);
  for (; length >= 16; bytes += 16, length -= 16) all = folded(all, near, load(bytes));
  alignas(16) uint8_t rest[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(rest), all);
  return byTable(byTable(0, rest, sizeof rest), bytes, length);
}

// `length` is 64 at least.
FOLDS uint32_t byFolding(uint32_t state, const uint8_t* bytes, size_t length) {
  __m128i lanes[4];
  for (int i = 0; i < 4; i++) lanes[i] = load(bytes + 16 * i);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(static_cast<int>(state)));
  return ended(lanes, bytes + 64, length - 64);
}

FOLDS_WIDE inline __m512i wide(const Powers& powers) {
  const auto near = static_cast<int64_t>(powers.near);
  const auto far = static_cast<int64_t>(powers.far);
  return _mm512_set_epi64(near, far, near, far, near, far, near, far);
}

FOLDS_WIDE inline __m512i foldedWide(__m512i ahead, __m512i powers, __m512i behind) {
  constexpr int xorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(ahead, powers, 0x00), _mm512_clmulepi64_epi128(ahead, powers, 0x11), behind, xorOfThree);
}

// The same four times as wide. `length` is 256 at least.
FOLDS_WIDE uint32_t byWideFolding(uint32_t state, const uint8_t* bytes, size_t length) {
  const __m512i far = wide(over256);
  __m512i lanes[4];
  for (int i = 0; i < 4; i++) lanes[i] = _mm512_loadu_si512(bytes + 64 * i);
  lanes[0] = _mm512_xor_si512(lanes[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
  bytes += 256;
  length -= 256;
  for (; length >= 256; bytes += 256, length -= 256) {
    for (int i = 0; i < 4; i++) lanes[i] = foldedWide(lanes[i], far, _mm512_loadu_si512(bytes + 64 * i));
  }
  const __m512i near = wide(over64);
  __m512i all = lanes[0];
  for (int i = 1; i < 4; i++) all = foldedWide(all, near, lanes[i]);
  __m128i parts[4];
  _mm512_storeu_si512(parts, all);
  return ended(parts, bytes, length);
}

#endif

using Way = uint32_t (*)(uint32_t state, const uint8_t* bytes, size_t length);

// A way of this machine, and the fewest bytes that it can begin with.
struct Folding {
  Way way;
  size_t least;
};

// The fastest first.
std::vector<Folding> foldings() {
  std::vector<Folding> found;
#if defined(__x86_64__)
  const bool folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (folds && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq")) found.push_back({byWideFolding, 256});
  if (folds) found.push_back({byFolding, 64});
#endif
  return found;
}

// Never destroyed: threads may still be at work when the process ends.
const std::vector<Folding>& known() {
  static const auto& all = *new std::vector<Folding>(foldings());
  return all;
}

}  // namespace

size_t crc32Ways() { return known().size(); }

uint32_t crc32(uint32_t before, const uint8_t* bytes, size_t length, size_t slower) {
  const uint32_t state = ~before;
  for (size_t i = slower; i < known().size(); i++) {
    if (length >= known()[i].least) return ~known()[i].way(state, bytes, length);
  }
  return ~byTable(state, bytes, length);
}

}  // namespace patchstream

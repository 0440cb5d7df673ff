#include "encode/jpeg/transform.h"

#include "encode/jpeg/symbols.h"
#include "encode/jpeg/wide.h"

namespace patchstream {

#ifdef PATCHSTREAM_WIDE

namespace {

constexpr int32_t side = Divisors::side;
constexpr size_t blockSize = Symbols::blockSize;

// Of four blocks, each in a quarter of every vector, rows become columns.
PATCHSTREAM_WIDE inline void transpose(__m512i (&d)[side]) {
  __m512i a[side];
  __m512i b[side];
  for (int32_t i = 0; i < side; i += 2) {
    a[i] = _mm512_unpacklo_epi16(d[i], d[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi16(d[i], d[i + 1]);
  }
  for (int32_t i = 0; i < side; i += 4) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi32(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi32(a[i + 1], a[i + 3]);
  }
  for (int32_t i = 0; i < 4; i++) {
    d[2 * i] = _mm512_unpacklo_epi64(b[i], b[i + 4]);
    d[2 * i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 4]);
  }
}

// One pass of the transform, of Loeffler, Ligtenberg and Moschytz, with weights in 8,192ths; the first leaves two more bits, which the second takes away.
template <bool isSecond>
PATCHSTREAM_WIDE inline void pass(__m512i (&d)[side]) {
  constexpr int32_t kept = 2;
  constexpr int32_t shift = isSecond ? 13 + kept : 13 - kept;
  __m512i sums[4];
  __m512i differences[4];
  for (int32_t i = 0; i < 4; i++) {
    sums[i] = _mm512_add_epi16(d[i], d[7 - i]);
    differences[i] = _mm512_sub_epi16(d[i], d[7 - i]);
  }
  // Both halves of what two vectors weigh together.
  struct Two {
    __m512i low;
    __m512i high;
  };
  const auto pairs = [](__m512i even, __m512i odd) PATCHSTREAM_WIDE { return Two{_mm512_unpacklo_epi16(even, odd), _mm512_unpackhi_epi16(even, odd)}; };
  const auto weigh = [](const Two& of, int32_t even, int32_t odd) PATCHSTREAM_WIDE {
    const __m512i weights = pairOf(even, odd);
    return Two{_mm512_madd_epi16(of.low, weights), _mm512_madd_epi16(of.high, weights)};
  };
  const auto add = [](const Two& one, const Two& other) PATCHSTREAM_WIDE { return Two{_mm512_add_epi32(one.low, other.low), _mm512_add_epi32(one.high, other.high)}; };
  const auto rounded = [](const Two& of) PATCHSTREAM_WIDE {
    const __m512i half = _mm512_set1_epi32(1 << (shift - 1));
    return _mm512_packs_epi32(_mm512_srai_epi32(_mm512_add_epi32(of.low, half), shift), _mm512_srai_epi32(_mm512_add_epi32(of.high, half), shift));
  };
  const __m512i outer = _mm512_add_epi16(sums[0], sums[3]);
  const __m512i inner = _mm512_add_epi16(sums[1], sums[2]);
  const __m512i all = _mm512_add_epi16(outer, inner);
  const __m512i apart = _mm512_sub_epi16(outer, inner);
  if constexpr (isSecond) {
    const __m512i half = _mm512_set1_epi16(1 << (kept - 1));
    d[0] = _mm512_srai_epi16(_mm512_add_epi16(all, half), kept);
    d[4] = _mm512_srai_epi16(_mm512_add_epi16(apart, half), kept);
  } else {
    d[0] = _mm512_slli_epi16(all, kept);
    d[4] = _mm512_slli_epi16(apart, kept);
  }
  const Two even = pairs(_mm512_sub_epi16(sums[0], sums[3]), _mm512_sub_epi16(sums[1], sums[2]));
  d[2] = rounded(weigh(even, 4433 + 6270, 4433));
  d[6] = rounded(weigh(even, 4433, 4433 - 15137));
  const __m512i t4 = differences[3];
  const __m512i t5 = differences[2];
  const __m512i t6 = differences[1];
  const __m512i t7 = differences[0];
  const Two both = pairs(_mm512_add_epi16(t4, t6), _mm512_add_epi16(t5, t7));
  const Two z3 = weigh(both, 9633 - 16069, 9633);
  const Two z4 = weigh(both, 9633, 9633 - 3196);
  const Two outside = pairs(t4, t7);
  const Two inside = pairs(t5, t6);
  d[7] = rounded(add(weigh(outside, 2446 - 7373, -7373), z3));
  d[1] = rounded(add(weigh(outside, -7373, 12299 - 7373), z4));
  d[5] = rounded(add(weigh(inside, 16819 - 20995, -20995), z4));
  d[3] = rounded(add(weigh(inside, -20995, 25172 - 20995), z3));
}

// Four rows, in each of which four blocks stand side by side, become four blocks, in each of which four rows do.
PATCHSTREAM_WIDE inline void gather(const __m512i* rows, int16_t* to) {
  const __m512i a = _mm512_shuffle_i64x2(rows[0], rows[1], 0x44);
  const __m512i b = _mm512_shuffle_i64x2(rows[0], rows[1], 0xEE);
  const __m512i c = _mm512_shuffle_i64x2(rows[2], rows[3], 0x44);
  const __m512i d = _mm512_shuffle_i64x2(rows[2], rows[3], 0xEE);
  _mm512_storeu_si512(to, _mm512_shuffle_i64x2(a, c, 0x88));
  _mm512_storeu_si512(to + blockSize, _mm512_shuffle_i64x2(a, c, 0xDD));
  _mm512_storeu_si512(to + 2 * blockSize, _mm512_shuffle_i64x2(b, d, 0x88));
  _mm512_storeu_si512(to + 3 * blockSize, _mm512_shuffle_i64x2(b, d, 0xDD));
}

}  // namespace

PATCHSTREAM_WIDE void transform(const uint8_t* plane, size_t stride, int32_t blocks, const Divisors& divisors, int16_t* to) {
  for (int32_t block = 0; block < blocks; block += 4) {
    __m512i d[side];
    for (int32_t i = 0; i < side; i++) {
      const __m256i row = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(plane + i * stride + block * side));
      d[i] = _mm512_sub_epi16(_mm512_cvtepu8_epi16(row), _mm512_set1_epi16(128));
    }
    transpose(d);
    pass<false>(d);
    transpose(d);
    pass<true>(d);
    for (int32_t i = 0; i < side; i++) {
      const auto of = [i](const Divisors::Rows& rows) PATCHSTREAM_WIDE { return _mm512_loadu_si512(rows.data() + i * 32); };
      const __m512i size = _mm512_add_epi16(_mm512_abs_epi16(d[i]), of(divisors.corrections));
      const __m512i whole = _mm512_mulhi_epu16(_mm512_mulhi_epu16(size, of(divisors.reciprocals)), of(divisors.scales));
      d[i] = _mm512_mask_sub_epi16(whole, _mm512_movepi16_mask(d[i]), _mm512_setzero_si512(), whole);
    }
    gather(d, to + block * blockSize);
    gather(d + 4, to + block * blockSize + 32);
  }
}

#else

void transform(const uint8_t*, size_t, int32_t, const Divisors&, int16_t*) {}

#endif

// A division by multiplying, exact for numbers of 16 bits, and rounded: with ceil or floor of the reciprocal, whichever is nearer.
Divisors::Divisors(const uint16_t* table) {
  for (size_t i = 0; i < side * side; i++) {
    // The transform's results are 8 times as large.
    const uint32_t divisor = 8U * table[i];
    int32_t bits = 31 - __builtin_clz(divisor) + 16;
    uint32_t reciprocal = static_cast<uint32_t>((uint64_t{1} << bits) / divisor);
    const uint32_t rest = static_cast<uint32_t>((uint64_t{1} << bits) % divisor);
    uint32_t correction = divisor / 2;
    if (rest == 0) {
      reciprocal >>= 1;
      bits--;
    } else if (rest <= divisor / 2) {
      correction++;
    } else {
      reciprocal++;
    }
    for (size_t lane = 0; lane < lanes; lane++) {
      const size_t at = (i / side * lanes + lane) * side + i % side;
      corrections[at] = static_cast<uint16_t>(correction);
      reciprocals[at] = static_cast<uint16_t>(reciprocal);
      scales[at] = static_cast<uint16_t>(1U << (32 - bits));
    }
  }
}

}  // namespace patchstream

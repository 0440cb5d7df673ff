#include "decode/vp8/filter.h"

#ifdef PATCHSTREAM_VP8

#include <cstring>

#include <immintrin.h>

namespace patchstream::vp8 {

namespace {

// Pixels across the edges of a macroblock: the four before it, and its own. Each line has sixteen of luma and behind them eight of each chroma, which end after eight lines.
constexpr int before = 4;
constexpr int lines = before + 16;
constexpr int chromaLines = before + 8;

struct Lines {
  __m256i at[lines];
};

struct Bounds {
  __m256i limit;
  __m256i inner;
  __m256i edge;
  // Where there are pixels.
  __m256i lanes;
};

VP8_VECTORS VP8_INLINED __m256i apart(__m256i a, __m256i b) { return _mm256_or_si256(_mm256_subs_epu8(a, b), _mm256_subs_epu8(b, a)); }

VP8_VECTORS VP8_INLINED __m256i isAtMost(__m256i a, __m256i most) { return _mm256_cmpeq_epi8(_mm256_subs_epu8(a, most), _mm256_setzero_si256()); }

VP8_VECTORS VP8_INLINED __m256i flip(__m256i a) { return _mm256_xor_si256(a, _mm256_set1_epi8(-128)); }

// Signed bytes, an eighth of them, rounded down.
VP8_VECTORS VP8_INLINED __m256i eighth(__m256i a) {
  const __m256i sign = _mm256_set1_epi8(16);
  const __m256i shifted = _mm256_and_si256(_mm256_srli_epi16(a, 3), _mm256_set1_epi8(31));
  return _mm256_sub_epi8(_mm256_xor_si256(shifted, sign), sign);
}

// Whether the step across the edge is small enough to be the encoder's; `q` is the first pixel behind the edge.
VP8_VECTORS VP8_INLINED __m256i isSmall(const __m256i* q, const Bounds& bounds) {
  const __m256i outer = _mm256_srli_epi16(_mm256_and_si256(apart(q[-2], q[1]), _mm256_set1_epi8(-2)), 1);
  const __m256i step = apart(q[-1], q[0]);
  return _mm256_and_si256(isAtMost(_mm256_adds_epu8(_mm256_adds_epu8(step, step), outer), bounds.limit), bounds.lanes);
}

VP8_VECTORS VP8_INLINED __m256i isEven(const __m256i* q, const Bounds& bounds) {
  __m256i most = _mm256_max_epu8(apart(q[-4], q[-3]), apart(q[-3], q[-2]));
  most = _mm256_max_epu8(most, apart(q[-2], q[-1]));
  most = _mm256_max_epu8(most, apart(q[1], q[0]));
  most = _mm256_max_epu8(most, apart(q[2], q[1]));
  return isAtMost(_mm256_max_epu8(most, apart(q[3], q[2])), bounds.inner);
}

// Where the picture itself has an edge.
VP8_VECTORS VP8_INLINED __m256i isFlat(const __m256i* q, const Bounds& bounds) {
  return isAtMost(_mm256_max_epu8(apart(q[-2], q[-1]), apart(q[1], q[0])), bounds.edge);
}

// Signed pixels next to the edge moved towards each other; answers by how much the one behind it.
VP8_VECTORS VP8_INLINED __m256i meet(__m256i& p0, __m256i& q0, __m256i by) {
  const __m256i behind = eighth(_mm256_adds_epi8(by, _mm256_set1_epi8(4)));
  p0 = _mm256_adds_epi8(p0, eighth(_mm256_adds_epi8(by, _mm256_set1_epi8(3))));
  q0 = _mm256_subs_epi8(q0, behind);
  return behind;
}

// `outer` and three times the step.
VP8_VECTORS VP8_INLINED __m256i slope(__m256i outer, __m256i p0, __m256i q0) {
  const __m256i step = _mm256_subs_epi8(q0, p0);
  return _mm256_adds_epi8(_mm256_adds_epi8(_mm256_adds_epi8(outer, step), step), step);
}

VP8_VECTORS VP8_INLINED void simpleEdge(__m256i* q, const Bounds& bounds) {
  const __m256i wanted = isSmall(q, bounds);
  __m256i p0 = flip(q[-1]);
  __m256i q0 = flip(q[0]);
  const __m256i outer = _mm256_subs_epi8(flip(q[-2]), flip(q[1]));
  meet(p0, q0, _mm256_and_si256(slope(outer, p0, q0), wanted));
  q[-1] = flip(p0);
  q[0] = flip(q0);
}

// Within a macroblock.
VP8_VECTORS VP8_INLINED void innerEdge(__m256i* q, const Bounds& bounds) {
  const __m256i wanted = _mm256_and_si256(isSmall(q, bounds), isEven(q, bounds));
  const __m256i flat = isFlat(q, bounds);
  __m256i p1 = flip(q[-2]);
  __m256i p0 = flip(q[-1]);
  __m256i q0 = flip(q[0]);
  __m256i q1 = flip(q[1]);
  const __m256i outer = _mm256_andnot_si256(flat, _mm256_subs_epi8(p1, q1));
  const __m256i behind = meet(p0, q0, _mm256_and_si256(slope(outer, p0, q0), wanted));
  // Half of it, rounded up; 128 is 64 then.
  const __m256i half = _mm256_sub_epi8(_mm256_avg_epu8(flip(behind), _mm256_setzero_si256()), _mm256_set1_epi8(64));
  const __m256i little = _mm256_and_si256(half, flat);
  p1 = _mm256_adds_epi8(p1, little);
  q1 = _mm256_subs_epi8(q1, little);
  q[-2] = flip(p1);
  q[-1] = flip(p0);
  q[0] = flip(q0);
  q[1] = flip(q1);
}

// 27, 18 or 9 times `by`, of 128.
template <int times>
VP8_VECTORS VP8_INLINED __m256i share(__m256i lower, __m256i upper) {
  const __m256i half = _mm256_set1_epi16(63);
  const auto one = [half](__m256i nine) VP8_VECTORS {
    __m256i sum = _mm256_add_epi16(nine, half);
    for (int i = 1; i < times; i++) sum = _mm256_add_epi16(sum, nine);
    return _mm256_srai_epi16(sum, 7);
  };
  return _mm256_packs_epi16(one(lower), one(upper));
}

// Between two macroblocks.
VP8_VECTORS VP8_INLINED void outerEdge(__m256i* q, const Bounds& bounds) {
  const __m256i wanted = _mm256_and_si256(isSmall(q, bounds), isEven(q, bounds));
  const __m256i flat = isFlat(q, bounds);
  __m256i p0 = flip(q[-1]);
  __m256i q0 = flip(q[0]);
  const __m256i p1 = flip(q[-2]);
  const __m256i q1 = flip(q[1]);
  const __m256i by = _mm256_and_si256(slope(_mm256_subs_epi8(p1, q1), p0, q0), wanted);
  meet(p0, q0, _mm256_andnot_si256(flat, by));
  const __m256i wide = _mm256_and_si256(flat, by);
  // Signed bytes in the upper halves of 16 bits, times 9 in the lower.
  const __m256i nine = _mm256_set1_epi16(9 << 8);
  const __m256i lower = _mm256_mulhi_epi16(_mm256_unpacklo_epi8(_mm256_setzero_si256(), wide), nine);
  const __m256i upper = _mm256_mulhi_epi16(_mm256_unpackhi_epi8(_mm256_setzero_si256(), wide), nine);
  const __m256i most = share<3>(lower, upper);
  const __m256i less = share<2>(lower, upper);
  const __m256i least = share<1>(lower, upper);
  q[-3] = flip(_mm256_adds_epi8(flip(q[-3]), least));
  q[-2] = flip(_mm256_adds_epi8(p1, less));
  q[-1] = flip(_mm256_adds_epi8(p0, most));
  q[0] = flip(_mm256_subs_epi8(q0, most));
  q[1] = flip(_mm256_subs_epi8(q1, less));
  q[2] = flip(_mm256_subs_epi8(flip(q[2]), least));
}

// All edges in one direction.
VP8_VECTORS VP8_INLINED void edges(Lines& pixels, Filter kind, const Strength& strength, bool outer, bool inner) {
  const __m256i luma = _mm256_setr_epi64x(-1, -1, 0, 0);
  const bool simple = kind == Filter::simple;
  Bounds bounds{_mm256_set1_epi8(static_cast<char>(strength.limit + 4)), _mm256_set1_epi8(static_cast<char>(strength.inner)),
                _mm256_set1_epi8(static_cast<char>(strength.edge)), simple ? luma : _mm256_set1_epi8(-1)};
  if (outer) {
    if (simple) simpleEdge(pixels.at + before, bounds);
    else outerEdge(pixels.at + before, bounds);
  }
  if (!inner) return;
  bounds.limit = _mm256_set1_epi8(static_cast<char>(strength.limit));
  for (int line = before + 4; line < lines; line += 4) {
    if (line >= chromaLines) bounds.lanes = luma;
    if (simple) simpleEdge(pixels.at + line, bounds);
    else innerEdge(pixels.at + line, bounds);
  }
}

// Sixteen by sixteen bytes of luma, and of chroma, turned. Four times each line meets the one eight further on, which moves a bit of the places of lines to those of bytes.
VP8_VECTORS VP8_INLINED void turn(__m256i* pixels) {
  __m256i other[16];
  const auto step = [](const __m256i* from, __m256i* to) VP8_VECTORS {
    for (int i = 0; i < 8; i++) {
      to[2 * i] = _mm256_unpacklo_epi8(from[i], from[i + 8]);
      to[2 * i + 1] = _mm256_unpackhi_epi8(from[i], from[i + 8]);
    }
  };
  step(pixels, other);
  step(other, pixels);
  step(pixels, other);
  step(other, pixels);
}

VP8_VECTORS VP8_INLINED __m256i both(__m128i luma, __m128i chroma) { return _mm256_inserti128_si256(_mm256_castsi128_si256(luma), chroma, 1); }
VP8_VECTORS VP8_INLINED __m128i load(const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
VP8_VECTORS VP8_INLINED void store(uint8_t* to, __m128i bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes); }

// The last four columns of luma, of which a line each is made; and back.
VP8_VECTORS VP8_INLINED void loadLast(const Plane& luma, __m256i* to) {
  __m128i fours[4];
  // Rows in which the bytes of a column come to lie together.
  const __m128i columns = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (int i = 0; i < 4; i++) {
    int32_t rows[4];
    for (int k = 0; k < 4; k++) std::memcpy(&rows[k], luma.at + (4 * i + k) * luma.stride + 12, sizeof rows[k]);
    fours[i] = _mm_shuffle_epi8(_mm_setr_epi32(rows[0], rows[1], rows[2], rows[3]), columns);
  }
  const __m128i upper0 = _mm_unpacklo_epi32(fours[0], fours[1]);
  const __m128i upper1 = _mm_unpackhi_epi32(fours[0], fours[1]);
  const __m128i lower0 = _mm_unpacklo_epi32(fours[2], fours[3]);
  const __m128i lower1 = _mm_unpackhi_epi32(fours[2], fours[3]);
  to[0] = _mm256_castsi128_si256(_mm_unpacklo_epi64(upper0, lower0));
  to[1] = _mm256_castsi128_si256(_mm_unpackhi_epi64(upper0, lower0));
  to[2] = _mm256_castsi128_si256(_mm_unpacklo_epi64(upper1, lower1));
  to[3] = _mm256_castsi128_si256(_mm_unpackhi_epi64(upper1, lower1));
}

VP8_VECTORS VP8_INLINED void storeLast(const Plane& luma, const __m256i* from) {
  const auto line = [from](int i) VP8_VECTORS { return _mm256_castsi256_si128(from[i]); };
  const __m128i upper0 = _mm_unpacklo_epi8(line(0), line(1));
  const __m128i upper1 = _mm_unpacklo_epi8(line(2), line(3));
  const __m128i lower0 = _mm_unpackhi_epi8(line(0), line(1));
  const __m128i lower1 = _mm_unpackhi_epi8(line(2), line(3));
  const __m128i fours[4] = {_mm_unpacklo_epi16(upper0, upper1), _mm_unpackhi_epi16(upper0, upper1), _mm_unpacklo_epi16(lower0, lower1), _mm_unpackhi_epi16(lower0, lower1)};
  for (int i = 0; i < 4; i++) {
    const int32_t rows[4] = {_mm_extract_epi32(fours[i], 0), _mm_extract_epi32(fours[i], 1), _mm_extract_epi32(fours[i], 2), _mm_extract_epi32(fours[i], 3)};
    for (int k = 0; k < 4; k++) std::memcpy(luma.at + (4 * i + k) * luma.stride + 12, &rows[k], sizeof rows[k]);
  }
}

// A row of eight pixels of each chroma.
VP8_VECTORS VP8_INLINED __m128i loadChroma(const uint8_t* u, const uint8_t* v) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(u)), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(v)));
}

VP8_VECTORS VP8_INLINED void storeChroma(uint8_t* u, uint8_t* v, __m128i row) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(u), row);
  _mm_storeh_pd(reinterpret_cast<double*>(v), _mm_castsi128_pd(row));
}

VP8_VECTORS VP8_INLINED uint8_t* chromaRow(const Plane& u, const Plane& v, int y) { return y < 8 ? u.at + y * u.stride : v.at + (y - 8) * v.stride; }

// Edges from top to bottom, with the pixels turned.
VP8_VECTORS VP8_INLINED void smoothAcross(Filter kind, const Strength& strength, bool inner, bool outer, const Plane& luma, const Plane& u, const Plane& v) {
  Lines pixels;
  for (int y = 0; y < 16; y++) pixels.at[y] = both(load(luma.at + y * luma.stride - before), load(chromaRow(u, v, y) - before));
  turn(pixels.at);
  if (inner) loadLast(luma, pixels.at + 16);
  edges(pixels, kind, strength, outer, inner);
  turn(pixels.at);
  for (int y = 0; y < 16; y++) {
    store(luma.at + y * luma.stride - before, _mm256_castsi256_si128(pixels.at[y]));
    if (kind == Filter::normal) store(chromaRow(u, v, y) - before, _mm256_extracti128_si256(pixels.at[y], 1));
  }
  if (inner) storeLast(luma, pixels.at + 16);
}

VP8_VECTORS VP8_INLINED void smoothDown(Filter kind, const Strength& strength, bool inner, bool outer, const Plane& luma, const Plane& u, const Plane& v) {
  Lines pixels;
  const int begin = outer ? 0 : before;
  const int end = inner ? lines : before + 4;
  const auto rowOf = [](const Plane& plane, int line) { return line < before ? plane.above + line * plane.stride : plane.at + (line - before) * plane.stride; };
  for (int line = begin; line < end; line++) {
    const __m128i chroma = line < chromaLines ? loadChroma(rowOf(u, line), rowOf(v, line)) : _mm_setzero_si128();
    pixels.at[line] = both(load(rowOf(luma, line)), chroma);
  }
  edges(pixels, kind, strength, outer, inner);
  for (int line = begin; line < end; line++) {
    store(rowOf(luma, line), _mm256_castsi256_si128(pixels.at[line]));
    if (line < chromaLines && kind == Filter::normal) storeChroma(rowOf(u, line), rowOf(v, line), _mm256_extracti128_si256(pixels.at[line], 1));
  }
}

}  // namespace

VP8_VECTORS void smooth(Filter kind, const Strength& strength, bool inner, Sides sides, const Plane& luma, const Plane& u, const Plane& v) {
  if (strength.limit == 0) return;
  if (sides.left || inner) smoothAcross(kind, strength, inner, sides.left, luma, u, v);
  if (sides.above || inner) smoothDown(kind, strength, inner, sides.above, luma, u, v);
}

}  // namespace patchstream::vp8

#endif

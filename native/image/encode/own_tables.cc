#include "encode/own_tables.h"

#include <algorithm>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace patchstream {

namespace {

constexpr int32_t symbolBits = 10;
constexpr size_t longestCode = HuffmanTable::longestCode;
constexpr size_t values = HuffmanTable::values;
constexpr uint8_t marker = 0xFF;
constexpr uint8_t tableMarker = 0xC4;
constexpr uint8_t scanMarker = 0xDA;
constexpr uint32_t sixteenZeros = 0xF0;

uint32_t sixteen(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }

// Where a coefficient comes in the zigzag, by its place in the block.
constexpr std::array<uint8_t, 64> zigzag{0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42, 3,  8,  12, 17, 25, 30,
                                         41, 43, 9,  11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38,
                                         46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63};
// And the other way.
constexpr std::array<uint8_t, 64> places = [] {
  std::array<uint8_t, 64> all{};
  for (uint8_t i = 0; i < 64; i++) all[zigzag[i]] = i;
  return all;
}();

// A bit for each coefficient that is not zero, the first the lowest.
uint64_t nonZero(const int16_t* block) {
  uint64_t bits = 0;
#ifdef __SSE2__
  const __m128i zero = _mm_setzero_si128();
  for (int32_t i = 0; i < 64; i += 16) {
    const auto eight = [&](int32_t at) { return _mm_cmpeq_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + at)), zero); };
    const auto zeros = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(eight(i), eight(i + 8))));
    bits |= uint64_t{zeros ^ 0xFFFFU} << i;
  }
#else
  for (int32_t i = 0; i < 64; i++) bits |= uint64_t{block[i] != 0} << i;
#endif
  return bits;
}

// A value that has so many bits, with those that tell it from the others that have as many.
uint32_t furtherBits(int32_t value, int32_t count) { return static_cast<uint32_t>(value + (value >> 31)) & ((1U << count) - 1); }

int32_t bitsOf(int32_t value) { return value == 0 ? 0 : 32 - __builtin_clz(static_cast<uint32_t>(value < 0 ? -value : value)); }

}  // namespace

void OwnTables::add(size_t component, const int16_t* block) {
  const auto first = static_cast<uint32_t>(component == 0 ? 0 : 2 * values);
  auto* const begun = reinterpret_cast<uint32_t*>(symbols_.need(0));
  uint32_t* symbols = begun + symbolCount_;
  const int32_t difference = block[0] - before_[component];
  before_[component] = block[0];
  const int32_t bits = bitsOf(difference);
  *symbols++ = furtherBits(difference, bits) << symbolBits | (first + static_cast<uint32_t>(bits));
  const uint32_t others = first + values;
  uint64_t inOrder = 0;
  for (uint64_t left = nonZero(block) & ~uint64_t{1}; left != 0; left &= left - 1) inOrder |= uint64_t{1} << zigzag[__builtin_ctzll(left)];
  uint32_t last = 0;
  for (; inOrder != 0; inOrder &= inOrder - 1) {
    const auto at = static_cast<uint32_t>(__builtin_ctzll(inOrder));
    uint32_t zeros = at - last - 1;
    last = at;
    for (; zeros > 15; zeros -= 16) *symbols++ = others + sixteenZeros;
    const int32_t value = block[places[at]];
    const int32_t count = bitsOf(value);
    *symbols++ = furtherBits(value, count) << symbolBits | (others + (zeros << 4) + static_cast<uint32_t>(count));
  }
  if (last != blockSize - 1) *symbols++ = others;
  symbolCount_ = static_cast<size_t>(symbols - begun);
}

bool OwnTables::apply(Bytes& file) {
  if (!readHead(file)) return false;
  count();
  // Of each symbol at most 27 bits, each byte of which may need a zero behind it.
  uint8_t* made = packed_.need(dataAt_ + 8 * symbolCount_ + tables * (longestCode + values + 8) + 16);
  const size_t length = pack(file, made);
  if (!file.grow(length)) throw std::bad_alloc();
  std::memcpy(file.data(), made, length);
  file.size = length;
  return true;
}

// The segments up to the scan: all tables come one behind the other, and right before it.
bool OwnTables::readHead(const Bytes& file) {
  const uint8_t* bytes = const_cast<Bytes&>(file).data();
  tablesAt_ = tableCount_ = 0;
  size_t at = 2;
  while (at + 4 <= file.size && bytes[at] == marker) {
    const uint8_t kind = bytes[at + 1];
    const size_t length = sixteen(bytes + at + 2);
    if (length < 2 || at + 2 + length > file.size) return false;
    if (kind == scanMarker) {
      scanAt_ = at;
      dataAt_ = at + 2 + length;
      return tableCount_ >= 2;
    }
    if (kind == tableMarker) {
      if (tablesAt_ == 0) tablesAt_ = at;
      const uint8_t what = bytes[at + 4];
      const size_t index = (what & 1) * 2 + (what >> 4);
      if (index != tableCount_ || index >= tables) return false;
      tableCount_++;
    } else if (tablesAt_ != 0) {
      return false;
    }
    at += 2 + length;
  }
  return false;
}

void OwnTables::count() {
  std::array<std::array<uint32_t, values>, tables> counts{};
  const auto* symbols = reinterpret_cast<const uint32_t*>(symbols_.need(0));
  uint32_t* all = counts[0].data();
  for (size_t i = 0; i < symbolCount_; i++) all[symbols[i] & ((1U << symbolBits) - 1)]++;
  for (size_t i = 0; i < tableCount_; i++) own_[i] = bestTable(counts[i]);
}

size_t OwnTables::pack(const Bytes& file, uint8_t* to) {
  const uint8_t* bytes = const_cast<Bytes&>(file).data();
  uint8_t* at = std::copy_n(bytes, tablesAt_, to);
  // Of each symbol its code and, in the low bits, its length.
  std::array<uint32_t, tables * values> codes{};
  for (size_t i = 0; i < tableCount_; i++) {
    const HuffmanTable& table = own_[i];
    const size_t length = 3 + longestCode + table.count;
    *at++ = marker;
    *at++ = tableMarker;
    *at++ = static_cast<uint8_t>(length >> 8);
    *at++ = static_cast<uint8_t>(length);
    *at++ = static_cast<uint8_t>((i & 1) << 4 | i >> 1);
    at = std::copy_n(table.lengths.begin() + 1, longestCode, at);
    at = std::copy_n(table.order.begin(), table.count, at);
    uint32_t code = 0;
    size_t place = 0;
    for (uint32_t bits = 1; bits <= longestCode; bits++, code <<= 1) {
      for (size_t k = 0; k < table.lengths[bits]; k++) codes[i * values + table.order[place++]] = code++ << 8 | bits;
    }
  }
  at = std::copy_n(bytes + scanAt_, dataAt_ - scanAt_, at);
  const auto* symbols = reinterpret_cast<const uint32_t*>(symbols_.need(0));
  uint64_t held = 0;
  uint32_t count = 0;
  const auto put = [&](uint32_t byte) {
    *at++ = static_cast<uint8_t>(byte);
    if ((byte & 255) == marker) *at++ = 0;
  };
  for (size_t i = 0; i < symbolCount_; i++) {
    const uint32_t index = symbols[i] & ((1U << symbolBits) - 1);
    const uint32_t further = index & 15;
    const uint32_t code = codes[index];
    held = held << ((code & 255) + further) | uint64_t{code >> 8} << further | symbols[i] >> symbolBits;
    count += (code & 255) + further;
    if (count < 32) continue;
    count -= 32;
    const auto four = static_cast<uint32_t>(held >> count);
    // Whether one of them is 255: then a byte of what is left to that is zero.
    const uint32_t left = ~four;
    if (((left - 0x01010101U) & ~left & 0x80808080U) == 0) {
      at[0] = static_cast<uint8_t>(four >> 24);
      at[1] = static_cast<uint8_t>(four >> 16);
      at[2] = static_cast<uint8_t>(four >> 8);
      at[3] = static_cast<uint8_t>(four);
      at += 4;
    } else {
      for (int32_t shift = 24; shift >= 0; shift -= 8) put(four >> shift);
    }
  }
  // What is left of the last byte is ones.
  if (count % 8 != 0) {
    const uint32_t rest = 8 - count % 8;
    held = held << rest | ((1U << rest) - 1);
    count += rest;
  }
  while (count > 0) {
    count -= 8;
    put(static_cast<uint32_t>(held >> count));
  }
  *at++ = marker;
  *at++ = 0xD9;
  return static_cast<size_t>(at - to);
}

}  // namespace patchstream

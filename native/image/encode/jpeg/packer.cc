#include "encode/jpeg/packer.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace patchstream {

namespace {

constexpr uint32_t placeMask = (1U << Symbols::placeBits) - 1;
constexpr size_t longestCode = HuffmanTable::longestCode;
constexpr size_t values = HuffmanTable::values;
constexpr uint8_t marker = 0xFF;
constexpr uint8_t tableMarker = 0xC4;
constexpr uint8_t scanMarker = 0xDA;
constexpr uint8_t endMarker = 0xD9;
// Of the number that stands for a code and the bits behind it, those that say how many both are.
constexpr int32_t lengthBits = 5;

uint32_t sixteen(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }

void store(uint64_t bits, uint8_t* to) {
  for (int32_t i = 0; i < 8; i++) to[i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
}

// The symbols' bits, one behind the other, the last byte filled with ones. Up to 8 bytes beyond are written to. Answers the end.
uint8_t* packBits(const uint32_t* symbols, size_t count, const uint32_t* codes, uint8_t* to) {
  uint64_t held = 0;
  uint32_t bits = 0;
  const auto put = [&](uint64_t value, uint32_t length) {
    held = held << length | value;
    bits += length;
    store(held << (64 - bits), to);
    to += bits >> 3;
    bits &= 7;
  };
  const auto of = [&](uint32_t symbol, uint32_t& length) {
    const uint32_t code = codes[symbol & placeMask];
    length = code & ((1U << lengthBits) - 1);
    return code >> lengthBits | symbol >> Symbols::placeBits;
  };
  // Two have 54 bits at most.
  const auto two = [&](const uint32_t* at, uint32_t& length) {
    uint32_t more;
    const uint64_t one = of(at[0], length);
    const uint32_t other = of(at[1], more);
    length += more;
    return one << more | other;
  };
  size_t i = 0;
  for (; i + 3 < count; i += 4) {
    uint32_t length, more;
    const uint64_t some = two(symbols + i, length);
    const uint64_t others = two(symbols + i + 2, more);
    // Beside at most 7 that are held.
    if (length + more <= 56) {
      put(some << more | others, length + more);
    } else {
      put(some, length);
      put(others, more);
    }
  }
  for (; i < count; i++) {
    uint32_t length;
    const uint32_t one = of(symbols[i], length);
    put(one, length);
  }
  if (bits > 0) put(255U >> bits, 8 - bits);
  return to;
}

}  // namespace

void JpegPacker::add(size_t component, const int16_t* block) {
  const auto first = static_cast<uint32_t>(component == 0 ? 0 : 2 * values);
  auto* const begun = reinterpret_cast<uint32_t*>(symbols_.data());
  const int32_t difference = block[0] - before_[component];
  before_[component] = block[0];
  uint32_t* const others = addMean(difference, first, begun + symbolCount_);
  symbolCount_ = static_cast<size_t>(addOthers_(block, first + values, others) - begun);
}

void JpegPacker::repeat(size_t component) {
  std::array<int16_t, Symbols::blockSize> block{};
  block[0] = static_cast<int16_t>(before_[component]);
  add(component, block.data());
}

bool JpegPacker::apply(Bytes& file, bool optimized) {
  if (!readHead(file)) return false;
  if (optimized) findTables();
  // Of each symbol at most 27 bits.
  uint8_t* const made = packed_.need(dataAt_ + 4 * symbolCount_ + mostTables * (longestCode + values + 8) + 16);
  uint8_t* const data = packHead(file, made);
  uint8_t* const end = packBits(reinterpret_cast<const uint32_t*>(symbols_.data()), symbolCount_, codes_.data(), data);
  const size_t length = static_cast<size_t>(end - made) + static_cast<size_t>(std::count(data, end, marker)) + 2;
  if (!file.grow(length)) throw std::bad_alloc();
  uint8_t* to = std::copy(made, data, file.data());
  // In the data a zero stands behind each byte of 255.
  for (const uint8_t* from = data; from < end;) {
    const auto* const found = static_cast<const uint8_t*>(std::memchr(from, marker, static_cast<size_t>(end - from)));
    const uint8_t* const until = found == nullptr ? end : found + 1;
    to = std::copy(from, until, to);
    if (found != nullptr) *to++ = 0;
    from = until;
  }
  *to++ = marker;
  *to++ = endMarker;
  file.size = length;
  return true;
}

// The segments up to the scan: all tables come one behind the other, and right before it.
bool JpegPacker::readHead(const Bytes& file) {
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
      if (index != tableCount_ || index >= mostTables || !readTable(bytes + at + 5, length - 3)) return false;
      tableCount_++;
    } else if (tablesAt_ != 0) {
      return false;
    }
    at += 2 + length;
  }
  return false;
}

// The next of them, with as many bytes.
bool JpegPacker::readTable(const uint8_t* bytes, size_t length) {
  if (length < longestCode) return false;
  HuffmanTable& table = tables_[tableCount_];
  std::copy_n(bytes, longestCode, table.lengths.begin() + 1);
  table.count = length - longestCode;
  if (table.count > values || table.count != std::accumulate(bytes, bytes + longestCode, size_t{0})) return false;
  std::copy_n(bytes + longestCode, table.count, table.order.begin());
  return true;
}

void JpegPacker::findTables() {
  using Counts = std::array<std::array<uint32_t, values>, mostTables>;
  // In turns, since one that follows its like would wait for it.
  Counts counts{};
  Counts others{};
  const auto* symbols = reinterpret_cast<const uint32_t*>(symbols_.data());
  size_t i = 0;
  for (; i + 1 < symbolCount_; i += 2) {
    counts[0].data()[symbols[i] & placeMask]++;
    others[0].data()[symbols[i + 1] & placeMask]++;
  }
  if (i < symbolCount_) counts[0].data()[symbols[i] & placeMask]++;
  for (size_t table = 0; table < tableCount_; table++) {
    for (size_t value = 0; value < values; value++) counts[table][value] += others[table][value];
    tables_[table] = bestTable(counts[table]);
  }
}

// The head with its tables, whose codes are also written to `codes_`. Answers its end.
uint8_t* JpegPacker::packHead(const Bytes& file, uint8_t* to) {
  const uint8_t* bytes = const_cast<Bytes&>(file).data();
  uint8_t* at = std::copy_n(bytes, tablesAt_, to);
  for (size_t i = 0; i < tableCount_; i++) {
    const HuffmanTable& table = tables_[i];
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
      for (size_t k = 0; k < table.lengths[bits]; k++) {
        const uint8_t symbol = table.order[place++];
        const uint32_t further = symbol & 15;
        codes_[i * values + symbol] = code++ << (further + lengthBits) | (bits + further);
      }
    }
  }
  return std::copy_n(bytes + scanAt_, dataAt_ - scanAt_, at);
}

}  // namespace patchstream

#include "encode/own_tables.h"

#include <algorithm>
#include <cstring>

namespace patchstream {

namespace {

constexpr int32_t symbolBits = 10;
constexpr size_t longestCode = HuffmanTable::longestCode;
constexpr size_t values = HuffmanTable::values;
constexpr uint8_t marker = 0xFF;
constexpr uint8_t tableMarker = 0xC4;
constexpr uint8_t scanMarker = 0xDA;

uint32_t sixteen(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }

uint64_t bigEndian(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

// Reads bits, the highest first. Behind the data lie zeros.
struct Bits {
  const uint8_t* at;
  const uint8_t* end;
  uint64_t held = 0;
  int32_t count = 0;

  // At least 56 bits.
  void refill() {
    if (at >= end) {
      count = 64;
      return;
    }
    held |= bigEndian(at) >> count;
    const int32_t bytes = (63 - count) >> 3;
    at += bytes;
    count += bytes * 8;
  }
  uint32_t peek(int32_t bits) const { return static_cast<uint32_t>(held >> (64 - bits)); }
  void skip(int32_t bits) {
    held <<= bits;
    count -= bits;
  }
};

}  // namespace

bool OwnTables::apply(const JpegScan& scan, Bytes& file) {
  if (int64_t{scan.width} * scan.height > mostPixels || !readHead(file)) return false;
  if (!unpack(scan, file.data() + dataAt_, file.size - dataAt_)) return false;
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
      if (index != tableCount_ || index >= tables || length < 3 + longestCode) return false;
      HuffmanTable& table = given_[index].table;
      table.count = length - 3 - longestCode;
      size_t sum = 0;
      for (size_t i = 1; i <= longestCode; i++) sum += table.lengths[i] = bytes[at + 4 + i];
      if (sum != table.count || sum > values) return false;
      std::copy_n(bytes + at + 5 + longestCode, sum, table.order.begin());
      fill(given_[index]);
      tableCount_++;
    } else if (tablesAt_ != 0) {
      return false;
    }
    at += 2 + length;
  }
  return false;
}

void OwnTables::fill(Lookup& lookup) {
  lookup.first.fill(0);
  const HuffmanTable& table = lookup.table;
  uint32_t code = 0;
  size_t place = 0;
  for (size_t length = 1; length <= longestCode; length++) {
    lookup.place[length] = static_cast<int32_t>(place) - static_cast<int32_t>(code);
    for (size_t i = 0; i < table.lengths[length]; i++, code++, place++) {
      if (length > Lookup::bits) continue;
      const size_t shift = Lookup::bits - length;
      const auto entry = static_cast<uint16_t>(table.order[place] << 8 | length);
      std::fill_n(lookup.first.begin() + (size_t{code} << shift), size_t{1} << shift, entry);
    }
    lookup.end[length] = code << (longestCode - length);
    code <<= 1;
  }
}

bool OwnTables::unpack(const JpegScan& scan, const uint8_t* from, size_t length) {
  if (length < 2 || from[length - 2] != marker || from[length - 1] != 0xD9) return false;
  uint8_t* plain = plain_.need(length + 16);
  size_t size = 0;
  for (const uint8_t *at = from, *end = from + length - 2; at < end;) {
    const auto* next = static_cast<const uint8_t*>(std::memchr(at, marker, static_cast<size_t>(end - at)));
    const auto part = static_cast<size_t>((next == nullptr ? end : next + 1) - at);
    std::memcpy(plain + size, at, part);
    size += part;
    at += part;
    if (next == nullptr) break;
    if (at == end || *at != 0) return false;
    at++;
  }
  std::memset(plain + size, 0, 16);
  const bool isColour = scan.channels == 3;
  if (isColour != (tableCount_ == tables)) return false;
  const int32_t side = isColour && scan.subsampled ? 16 : 8;
  const int64_t units = ((int64_t{scan.width} + side - 1) / side) * ((int64_t{scan.height} + side - 1) / side);
  const int32_t first = isColour && scan.subsampled ? 4 : 1;
  const int32_t blocks = isColour ? first + 2 : 1;
  // Of each block no more symbols than coefficients.
  auto* symbols = reinterpret_cast<uint32_t*>(symbols_.need(static_cast<size_t>(units) * blocks * 64 * sizeof(uint32_t)));
  const uint32_t* const begun = symbols;
  Bits bits{plain, plain + size};
  // One more symbol of the table, with as many further bits as its low four say.
  const auto next = [&](size_t index) -> int32_t {
    bits.refill();
    const Lookup& lookup = given_[index];
    const uint16_t entry = lookup.first[bits.peek(Lookup::bits)];
    uint32_t symbol = entry >> 8;
    int32_t taken = entry & 255;
    if (taken == 0) {
      const uint32_t sixteenBits = bits.peek(longestCode);
      taken = Lookup::bits + 1;
      while (taken <= static_cast<int32_t>(longestCode) && sixteenBits >= lookup.end[taken]) taken++;
      if (taken > static_cast<int32_t>(longestCode)) return -1;
      const int32_t place = static_cast<int32_t>(sixteenBits >> (longestCode - taken)) + lookup.place[taken];
      if (place < 0 || place >= static_cast<int32_t>(lookup.table.count)) return -1;
      symbol = lookup.table.order[place];
    }
    bits.skip(taken);
    const auto further = static_cast<int32_t>(symbol & 15);
    uint32_t extra = 0;
    if (further > 0) {
      extra = bits.peek(further);
      bits.skip(further);
    }
    *symbols++ = extra << symbolBits | static_cast<uint32_t>(index * values + symbol);
    return static_cast<int32_t>(symbol);
  };
  for (int64_t unit = 0; unit < units; unit++) {
    for (int32_t block = 0; block < blocks; block++) {
      const size_t pair = block < first ? 0 : 2;
      if (next(pair) < 0) return false;
      for (int32_t k = 1; k < 64;) {
        const int32_t symbol = next(pair + 1);
        if (symbol <= 0) {
          if (symbol < 0) return false;
          break;
        }
        k += (symbol >> 4) + 1;
        if (k > 64) return false;
      }
    }
  }
  symbolCount_ = static_cast<size_t>(symbols - begun);
  return true;
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

#include "decode/huffman/codes.h"

#include <algorithm>

namespace patchstream {

namespace {

// Of more bits than the standard has for 8-bit pictures; they are searched for.
constexpr int mostDcSize = 11;
constexpr int mostAcSize = 10;

constexpr uint8_t sixteenZeros = 0xf0;

int valueIn(uint32_t place, int length, int size) {
  if (size == 0) return 0;
  constexpr uint32_t mask = (1u << HuffmanCodes::ahead) - 1;
  const auto raw = static_cast<int>(((place << length) & mask) >> (HuffmanCodes::ahead - size));
  return raw < 1 << (size - 1) ? raw - (1 << size) + 1 : raw;
}

}  // namespace

bool HuffmanCodes::read(const JHUFF_TBL& table) {
  if (std::equal(lengths_.begin(), lengths_.end(), table.bits) && std::equal(symbols_.begin(), symbols_.end(), table.huffval)) return false;
  std::copy(table.bits, table.bits + lengths_.size(), lengths_.begin());
  std::copy(table.huffval, table.huffval + symbols_.size(), symbols_.begin());
  int32_t code = 0;
  int32_t place = 0;
  for (int length = 1; length <= longestCode; length++) {
    places_[length] = place - code;
    code += lengths_[length];
    place += lengths_[length];
    ends_[length] = lengths_[length] == 0 ? 0 : code;
    code <<= 1;
  }
  return true;
}

template <typename Add>
void HuffmanCodes::shortCodes(const Add& add) const {
  uint32_t code = 0;
  size_t place = 0;
  for (int length = 1; length <= ahead; length++, code <<= 1) {
    for (int i = 0; i < lengths_[length]; i++, code++, place++) add(code << (ahead - length), 1u << (ahead - length), length, symbols_[place]);
  }
}

void DcCodes::read(const JHUFF_TBL& table) {
  if (!HuffmanCodes::read(table)) return;
  entries_.fill({});
  shortCodes([&](uint32_t first, uint32_t count, int length, uint8_t size) {
    if (size > mostDcSize) return;
    const Entry entry{static_cast<uint8_t>(length + size), static_cast<uint8_t>(length), size};
    std::fill_n(entries_.begin() + first, count, entry);
  });
}

void AcCodes::read(const JHUFF_TBL& table) {
  if (!HuffmanCodes::read(table)) return;
  entries_.fill({elsewhere, 0, 0, 0, 0, 0, 0});
  shortCodes([&](uint32_t first, uint32_t count, int length, uint8_t symbol) {
    const int size = symbol & 15;
    if (size > mostAcSize) return;
    const bool end = size == 0 && symbol != sixteenZeros;
    const auto bits = static_cast<uint8_t>(length + size);
    const auto steps = static_cast<uint8_t>(end ? 1 : (symbol >> 4) + 1);
    const auto flag = static_cast<uint8_t>(end ? ends : 0);
    const Entry entry{static_cast<uint8_t>(bits | flag), steps, steps, bits, static_cast<uint8_t>(length), static_cast<uint8_t>(size), 0};
    std::fill_n(entries_.begin() + first, count, entry);
  });
  // The second of a place is the first of the place of the bits behind it.
  for (uint32_t place = 0; place < entries_.size(); place++) {
    Entry& entry = entries_[place];
    const int left = ahead - entry.firstBits;
    if ((entry.bits & (ends | elsewhere)) != 0 || left <= 0) continue;
    const uint32_t behind = (place << entry.firstBits) & (entries_.size() - 1);
    const Entry& second = entries_[behind];
    const bool isCode = (second.bits & elsewhere) == 0 && second.firstBits <= left;
    if (!isCode) continue;
    const bool end = second.size == 0 && second.first == 1;
    entry.bits = static_cast<uint8_t>((entry.firstBits + second.firstBits) | (end ? ends : 0));
    entry.both = static_cast<uint8_t>(entry.first + (end ? 0 : second.first));
    entry.value = static_cast<int16_t>(valueIn(behind, second.length, second.size));
  }
}

}  // namespace patchstream

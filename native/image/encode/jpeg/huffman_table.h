#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace patchstream {

// A Huffman table as a JPEG has it: how many codes have each length, and the symbols in the order of their codes.
struct HuffmanTable {
  static constexpr size_t longestCode = 16;
  static constexpr size_t values = 256;

  std::array<uint8_t, longestCode + 1> lengths{};
  std::array<uint8_t, values> order{};
  size_t count = 0;
};

// The table that packs symbols best which occur so often, as annex K.2 of the standard finds it, with libjpeg's choice among those that occur equally often: the
// last of them.
HuffmanTable bestTable(const std::array<uint32_t, HuffmanTable::values>& counts);

}  // namespace patchstream

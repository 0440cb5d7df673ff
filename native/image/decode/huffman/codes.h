#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

namespace patchstream {

// What the codes of one table of a JPEG mean, found by the next bits of the data. `Dc` and `Ac` differ in what a symbol is: a size, or zeros that are passed over
// and a size; a value of that many bits follows the code.
class HuffmanCodes {
 public:
  // Bits that are looked up. Longer codes are rare: they are searched for.
  static constexpr int ahead = 10;
  static constexpr int longestCode = 16;

  struct Symbol {
    int length;
    // Negative where no code begins with these bits.
    int symbol;
  };

  // Which symbol comes, with the next bits at the top of `bits`.
  Symbol search(uint64_t bits) const {
    for (int length = 1; length <= longestCode; length++) {
      const auto code = static_cast<int32_t>(bits >> (64 - length));
      if (code < ends_[length]) return {length, symbols_[static_cast<size_t>(code + places_[length]) & 0xff]};
    }
    return {0, -1};
  }

 protected:
  // No table has that many codes.
  HuffmanCodes() { lengths_.fill(0xff); }

  // False where it is the table that it was before.
  bool read(const JHUFF_TBL& table);

  // `add(first, count, length, symbol)` for each code of at most `ahead` bits: the places among 2^ahead that begin with it.
  template <typename Add>
  void shortCodes(const Add& add) const;

 private:
  std::array<uint8_t, 17> lengths_{};
  std::array<uint8_t, 256> symbols_{};
  // By length: one behind the last code, or 0 without any; the first one's place among symbols, less itself.
  std::array<int32_t, longestCode + 1> ends_{};
  std::array<int32_t, longestCode + 1> places_{};
};

// Means of blocks, as differences.
class DcCodes : public HuffmanCodes {
 public:
  // A code and its value: bits of both, of the code, and of the value; 0 where the code is longer than `ahead`, or the value than 11 bits.
  struct Entry {
    uint8_t bits;
    uint8_t length;
    uint8_t size;
  };

  void read(const JHUFF_TBL& table);
  const Entry* entries() const { return entries_.data(); }

 private:
  std::array<Entry, 1 << ahead> entries_{};
};

// The other coefficients. One look finds a code and, where they are wholly among the bits that are looked up, a second one and its value.
class AcCodes : public HuffmanCodes {
 public:
  struct Entry {
    // Of all that is taken; the last two bits say that the block has ended, or that the code is not here.
    uint8_t bits;
    // Coefficients that are passed over, and one: of the first, and of both.
    uint8_t first;
    uint8_t both;
    // Of the first alone: bits in all, of its code, and of its value, which follows in the data.
    uint8_t firstBits;
    uint8_t length;
    uint8_t size;
    // The second's.
    int16_t value;
  };
  static constexpr uint8_t ends = 0x40;
  static constexpr uint8_t elsewhere = 0x80;

  void read(const JHUFF_TBL& table);
  const Entry* entries() const { return entries_.data(); }

 private:
  std::array<Entry, 1 << ahead> entries_{};
};

}  // namespace patchstream

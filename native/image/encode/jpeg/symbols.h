#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace patchstream {

// The symbols of a baseline JPEG. Each is a number: in its low bits a place among four tables of 256 (DC 0, AC 0, DC 1, AC 1), whose lowest four bits say how many
// further bits follow the code; above them those further bits.
struct Symbols {
  static constexpr size_t blockSize = 64;
  static constexpr size_t tables = 4;
  static constexpr size_t values = 256;
  static constexpr int32_t placeBits = 10;
  // How many numbers are written beyond the last symbol at most.
  static constexpr size_t beyond = 16;
};

// Writes the symbol of a mean that differs so much from that of the block before. Answers where the next goes.
uint32_t* addMean(int32_t difference, uint32_t table, uint32_t* to);

// Writes the symbols of all coefficients but the mean, which are quantised and stand row by row; `table` is where the table of AC begins. Answers where the next goes.
using AddOthers = uint32_t* (*)(const int16_t* block, uint32_t table, uint32_t* to);
AddOthers fastestOthers();
// For every machine.
uint32_t* addOthersPlain(const int16_t* block, uint32_t table, uint32_t* to);

}  // namespace patchstream

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace patchstream {

// How 64 coefficients are divided, each four times, for four blocks side by side.
struct Divisors {
  Divisors() = default;
  // With numbers for each coefficient, row by row.
  explicit Divisors(const uint16_t* table);

  static constexpr size_t side = 8;
  static constexpr size_t lanes = 4;
  using Rows = std::array<uint16_t, side * side * lanes>;
  Rows corrections{};
  Rows reciprocals{};
  Rows scales{};
};

// The quantised coefficients of so many blocks side by side, where the machine is wide (wide.h). Blocks are read and written by fours: up to three more.
void transform(const uint8_t* plane, size_t stride, int32_t blocks, const Divisors& divisors, int16_t* to);

}  // namespace patchstream

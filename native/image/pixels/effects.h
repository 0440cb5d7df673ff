#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "job.h"

namespace patchstream {

// An effect on the RGB pixels of a picture, which keeps its size. In integers, and in doubles in one order, so that src/vision/effects gives the same.
class Effect {
 public:
  Effect(const Step& step, const uint8_t* pixels, int32_t width, int32_t height) : step_(step), pixels_(pixels), width_(width), height_(height) {}

  // What it must know of the whole picture before any row is drawn; asks for every row whether to go on. False: it was not to.
  bool prepare(const std::function<bool()>& goesOn);

  // Writes row `y` of what it makes.
  void draw(int32_t y, uint8_t* out);

 private:
  using Table = std::array<uint8_t, 256>;
  using Counts = std::array<std::array<uint32_t, 256>, 3>;

  const uint8_t* rowAt(int32_t y) const { return pixels_ + static_cast<ptrdiff_t>(y) * width_ * 3; }
  int32_t number(int32_t i) const { return step_.numbers[i]; }
  bool isTable() const { return step_.work >= Work::autoContrast && step_.work <= Work::contrast; }
  bool count(const std::function<bool()>& goesOn, Counts& counts) const;
  bool measureLuma(const std::function<bool()>& goesOn);
  // Fills the tables of an effect that knows no counts.
  uint8_t valueFor(int32_t value) const;
  void weigh();
  void drawAffine(int32_t y, uint8_t* out) const;
  void drawTables(const uint8_t* row, uint8_t* out) const;
  void drawSaturated(const uint8_t* row, uint8_t* out) const;
  void drawSharpened(int32_t y, uint8_t* out) const;
  void drawBlurred(int32_t y, uint8_t* out);
  void drawBox(int32_t y, uint8_t* out) const;

  const Step& step_;
  const uint8_t* pixels_;
  int32_t width_;
  int32_t height_;
  std::array<Table, 3> tables_{};
  int32_t luma_ = 0;
  // Of a blur: the weights, in parts of 65,536, and the row summed down, with its border repeated, and across.
  std::vector<int32_t> weights_;
  std::vector<int32_t> rows_;
};

}  // namespace patchstream

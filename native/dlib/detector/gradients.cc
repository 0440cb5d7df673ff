#include "detector/gradients.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace patchstream {

namespace {

constexpr long cell = Gradients::cell;

typedef float Four __attribute__((vector_size(16)));

// How much a pixel gives to the four cells around it, by its place between their middles: upper left, lower left, upper right, lower right.
struct Shares {
  Four of[cell][cell];

  Shares() {
    for (long y = 0; y < cell; y++) {
      for (long x = 0; x < cell; x++) {
        const float low = (static_cast<float>(y) + 0.5F) / cell;
        const float right = (static_cast<float>(x) + 0.5F) / cell;
        of[y][x] = Four{(1 - low) * (1 - right), low * (1 - right), (1 - low) * right, low * right};
      }
    }
  }
};

const Shares shares;

// Of nine directions and their opposites the one that is nearest, the first of equal ones.
inline void consider(float across, float down, float x, float y, int32_t direction, float& best, int32_t& nearest) {
  const float along = across * x + down * y;
  const float length = std::fabs(along);
  const int32_t signedOne = along < 0 ? direction + 9 : direction;
  nearest = length > best ? signedOne : nearest;
  best = length > best ? length : best;
}

void measureRow(const uint8_t* __restrict above, const uint8_t* __restrict row, const uint8_t* __restrict below, long from, long to,
                float* __restrict lengths, int32_t* __restrict directions) {
  for (long i = from; i < to; i++) {
    const auto x = static_cast<float>(int32_t{row[i + 1]} - int32_t{row[i - 1]});
    const auto y = static_cast<float>(int32_t{below[i]} - int32_t{above[i]});
    float best = 0;
    int32_t nearest = 0;
    consider(1.0000F, 0.0000F, x, y, 0, best, nearest);
    consider(0.9397F, 0.3420F, x, y, 1, best, nearest);
    consider(0.7660F, 0.6428F, x, y, 2, best, nearest);
    consider(0.500F, 0.8660F, x, y, 3, best, nearest);
    consider(0.1736F, 0.9848F, x, y, 4, best, nearest);
    consider(-0.1736F, 0.9848F, x, y, 5, best, nearest);
    consider(-0.5000F, 0.8660F, x, y, 6, best, nearest);
    consider(-0.7660F, 0.6428F, x, y, 7, best, nearest);
    consider(-0.9397F, 0.3420F, x, y, 8, best, nearest);
    lengths[i] = std::sqrt(x * x + y * y);
    directions[i] = nearest;
  }
}

// What is cut off and divided by in the four neighbourhoods of a cell.
struct Normals {
  std::array<const float*, 4> limits;
  std::array<const float*, 4> inverses;
};

// Three directions of a row of cells, each cut off and divided in the four neighbourhoods, and the sums of the four; the sums of the three are added to
// the textures.
template <bool textured, typename Value>
void emitThree(const Value& value, const Normals& normals, const std::array<float*, 4>& textures, const std::array<float*, 3>& out, long count) {
  const auto [l0, l1, l2, l3] = normals.limits;
  const auto [i0, i1, i2, i3] = normals.inverses;
  const auto [t0, t1, t2, t3] = textures;
  float* __restrict first = out[0];
  float* __restrict second = out[1];
  float* __restrict third = out[2];
#pragma GCC ivdep
  for (long x = 0; x < count; x++) {
    const float a = value(0, x);
    const float b = value(1, x);
    const float c = value(2, x);
    const float limits[] = {l0[x], l1[x], l2[x], l3[x]};
    const float inverses[] = {i0[x], i1[x], i2[x], i3[x]};
    const auto part = [&](float amount, int i) { return (amount < limits[i] ? amount : limits[i]) * inverses[i]; };
    const float a0 = part(a, 0), a1 = part(a, 1), a2 = part(a, 2), a3 = part(a, 3);
    const float b0 = part(b, 0), b1 = part(b, 1), b2 = part(b, 2), b3 = part(b, 3);
    const float c0 = part(c, 0), c1 = part(c, 1), c2 = part(c, 2), c3 = part(c, 3);
    first[x] = (a0 + a2) + (a1 + a3);
    second[x] = (b0 + b2) + (b1 + b3);
    third[x] = (c0 + c2) + (c1 + c3);
    if (textured) {
      t0[x] += (a0 + b0) + c0;
      t1[x] += (a1 + b1) + c1;
      t2[x] += (a2 + b2) + c2;
      t3[x] += (a3 + b3) + c3;
    }
  }
}

}  // namespace

Planes Gradients::of(const Grey& picture) {
  const auto cells = [](int32_t pixels) { return static_cast<long>(static_cast<float>(pixels) / static_cast<float>(cell) + 0.5); };
  down_ = cells(picture.height);
  across_ = cells(picture.width);
  if (down_ < 3 || across_ < 3) return {};
  const long rows = down_ - 2 + around;
  const long columns = across_ - 2 + around;
  planes_.resize(planes * rows * columns);
  for (size_t plane = 0; plane < planes; plane++) {
    float* zeros = &planes_[plane * rows * columns];
    std::fill(zeros, zeros + before * columns, 0.0F);
    std::fill(zeros + (before + down_ - 2) * columns, zeros + rows * columns, 0.0F);
  }
  width_ = (across_ + 1) * cell;
  lengths_.assign(cell * width_, 0.0F);
  directions_.assign(cell * width_, 0);
  current_.assign((across_ + 2) * padded, 0.0F);
  next_.assign((across_ + 2) * padded, 0.0F);
  laid_.resize(2 * signedCount * across_);
  for (std::vector<float>* two : {&energies_, &limits_, &inverses_}) two->resize(2 * across_);
  for (std::vector<float>& texture : textures_) texture.resize(across_);
  // Block 0 lies above the middles of the first row of cells.
  for (long block = 0; block <= down_; block++) {
    measure(picture, block);
    collect();
    // All that the row of cells gets it has now.
    if (block > 0) {
      lay(block - 1);
      if (block > 1) weigh(block - 2);
      if (block > 2) emit(block - 3);
    }
    std::swap(current_, next_);
    std::fill(next_.begin(), next_.end(), 0.0F);
  }
  return {planes_.data(), rows, columns};
}

// The gradients of the block's rows of pixels. The outermost pixels of a picture have none, nor what is beyond its cells.
void Gradients::measure(const Grey& picture, long block) {
  const long bottom = std::min<long>(down_ * cell, picture.height) - 1;
  const long right = std::min<long>(across_ * cell, picture.width) - 1;
  const long top = block * cell - cell / 2;
  firstRow_ = std::max(top, 1L) - top;
  rows_ = std::min(top + cell, bottom) - top;
  for (long y = firstRow_; y < rows_; y++) {
    const uint8_t* row = picture.pixels + (top + y) * picture.width;
    const long begin = y * width_ + cell / 2;
    measureRow(row - picture.width, row, row + picture.width, 1, right, &lengths_[begin], &directions_[begin]);
  }
}

// Gives the gradients of the block to the cells, of which each gets from the four corners between its own middle and its neighbours'.
void Gradients::collect() {
  for (long k = 0; k <= across_; k++) {
    // In turn, since a sum has to be complete before the next is added to it.
    Four sums[2][padded] = {};
    for (long y = firstRow_; y < rows_; y++) {
      const float* lengths = &lengths_[y * width_ + k * cell];
      const int32_t* directions = &directions_[y * width_ + k * cell];
      for (long x = 0; x < cell; x++) sums[x & 1][directions[x]] += shares.of[y][x] * lengths[x];
    }
    // Cell 0 of a row is the one to the left of the picture's first.
    float* cells[] = {&current_[k * padded], &next_[k * padded], &current_[(k + 1) * padded], &next_[(k + 1) * padded]};
    for (long o = 0; o < signedCount; o++) {
      const Four sum = sums[0][o] + sums[1][o];
      for (long i = 0; i < 4; i++) cells[i][o] += sum[i];
    }
  }
}

void Gradients::lay(long row) {
  for (long o = 0; o < signedCount; o++) {
    float* out = laid(row, o);
    const float* cells = &current_[padded + o];
    for (long x = 0; x < across_; x++) out[x] = cells[x * padded];
  }
  float* __restrict energy = energies(row);
  std::fill(energy, energy + across_, 0.0F);
  for (long o = 0; o < unsignedCount; o++) {
    const float* one = laid(row, o);
    const float* opposite = laid(row, o + unsignedCount);
    for (long x = 0; x < across_; x++) energy[x] += (one[x] + opposite[x]) * (one[x] + opposite[x]);
  }
}

// The limits of four cells together, of which the upper ones are of this row.
void Gradients::weigh(long row) {
  const float* upper = energies(row);
  const float* lower = energies(row + 1);
  float* __restrict limit = limits(row);
  float* __restrict inverse = inverses(row);
  for (long x = 0; x < across_ - 1; x++) {
    limit[x] = 0.2F * std::sqrt(upper[x] + upper[x + 1] + lower[x] + lower[x + 1] + 0.0001F);
    inverse[x] = 0.1F / limit[x];
  }
}

// The features of a row of cells; those of the picture's first and last rows and columns are not complete and not part of them.
void Gradients::emit(long row) {
  const long count = across_ - 2;
  const long columns = count + around;
  const size_t size = (down_ - 2 + around) * columns;
  float* origin = &planes_[(row + before) * columns];
  const auto out = [&](long plane) { return origin + plane * size + before; };
  for (size_t plane = 0; plane < planes; plane++) {
    float* zeros = origin + plane * size;
    std::fill(zeros, zeros + before, 0.0F);
    std::fill(zeros + before + count, zeros + columns, 0.0F);
  }
  const Normals normals{{limits(row + 1) + 1, limits(row) + 1, limits(row + 1), limits(row)},
                        {inverses(row + 1) + 1, inverses(row) + 1, inverses(row + 1), inverses(row)}};
  std::array<float*, 4> textures;
  for (size_t i = 0; i < textures.size(); i++) {
    std::fill(textures_[i].begin(), textures_[i].end(), 0.0F);
    textures[i] = textures_[i].data();
  }
  const auto from = [&](long o) { return laid(row + 1, o) + 1; };
  for (long o = 0; o < signedCount; o += 3) {
    const float* directions[] = {from(o), from(o + 1), from(o + 2)};
    emitThree<true>([&](long i, long x) { return directions[i][x]; }, normals, textures, {out(o), out(o + 1), out(o + 2)}, count);
  }
  for (long o = 0; o < unsignedCount; o += 3) {
    const float* ones[] = {from(o), from(o + 1), from(o + 2)};
    const float* opposites[] = {from(o + 9), from(o + 10), from(o + 11)};
    const long plane = signedCount + o;
    emitThree<false>([&](long i, long x) { return ones[i][x] + opposites[i][x]; }, normals, textures, {out(plane), out(plane + 1), out(plane + 2)}, count);
  }
  for (long i = 0; i < 4; i++) {
    float* __restrict texture = out(signedCount + unsignedCount + i);
    for (long x = 0; x < count; x++) texture[x] = textures[i][x] * static_cast<float>(2 * 0.2357);
  }
}

}  // namespace patchstream

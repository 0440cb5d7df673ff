#include "detector/pyramid.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace patchstream {

namespace {

// dlib adds up the places of columns four at a time, in floats, and so does this: other sums would be other pixels.
constexpr int32_t lanes = 4;

double stepOf(int32_t size, int32_t into) { return (size - 1) / static_cast<double>(std::max(into - 1, 1)); }

// The first pixel of a pair, and the second.
float leftOf(uint16_t pair) { return static_cast<float>(pair & 255); }
float rightOf(uint16_t pair) { return static_cast<float>(pair >> 8); }

void blend(const uint16_t* __restrict top, const uint16_t* __restrict bottom, const float* __restrict fractions, float down, float up, int32_t count,
           uint8_t* __restrict out) {
  for (int32_t c = 0; c < count; c++) {
    const float across = fractions[c];
    const float back = 1 - across;
    const float value = up * back * leftOf(top[c]) + up * across * rightOf(top[c]) + down * back * leftOf(bottom[c]) + down * across * rightOf(bottom[c]);
    const auto whole = static_cast<int32_t>(value);
    out[c] = static_cast<uint8_t>(whole + (value - static_cast<float>(whole) >= 0.5F ? 1 : 0));
  }
}

}  // namespace

// Where the columns of a level lie in the picture.
void Shrinker::place(int32_t width, int32_t into) {
  lefts_.clear();
  fractions_.clear();
  const double step = stepOf(width, into);
  float places[lanes];
  for (int32_t i = 0; i < lanes; i++) places[i] = static_cast<float>(-lanes * step + i * step);
  const auto forward = static_cast<float>(lanes * step);
  while (true) {
    for (float& place : places) place += forward;
    if (static_cast<int32_t>(places[lanes - 1]) + 1 >= width) break;
    for (const float place : places) {
      const auto left = static_cast<int32_t>(place);
      lefts_.push_back(left);
      fractions_.push_back(place - static_cast<float>(left));
    }
  }
  inner_ = static_cast<int32_t>(lefts_.size());
}

const uint16_t* Shrinker::row(const Grey& picture, int32_t number, const Row& kept, Row& fresh) {
  if (kept.number == number) return kept.pairs.data();
  if (fresh.number == number) return fresh.pairs.data();
  fresh.number = number;
  fresh.pairs.resize(inner_);
  const uint8_t* pixels = picture.pixels + static_cast<size_t>(number) * picture.width;
  for (int32_t c = 0; c < inner_; c++) {
    const uint8_t* pair = pixels + lefts_[c];
    fresh.pairs[c] = static_cast<uint16_t>(pair[0] | pair[1] << 8);
  }
  return fresh.pairs.data();
}

Grey Shrinker::shrink(const Grey& picture, std::vector<uint8_t>& pixels) {
  const int32_t width = static_cast<int32_t>(int64_t{5} * picture.width / 6);
  const int32_t height = static_cast<int32_t>(int64_t{5} * picture.height / 6);
  pixels.resize(static_cast<size_t>(width) * height);
  place(picture.width, width);
  top_.number = -1;
  bottom_.number = -1;
  const double across = stepOf(picture.width, width);
  const double down = stepOf(picture.height, height);
  double y = -down;
  for (int32_t r = 0; r < height; r++) {
    y += down;
    const auto top = static_cast<int32_t>(std::floor(y));
    const int32_t bottom = std::min(top + 1, picture.height - 1);
    const double fraction = y - top;
    uint8_t* out = &pixels[static_cast<size_t>(r) * width];
    // The lower row of one is most often the upper row of the next.
    if (bottom_.number == top) std::swap(top_, bottom_);
    const uint16_t* upper = row(picture, top, bottom_, top_);
    const uint16_t* lower = row(picture, bottom, top_, bottom_);
    blend(upper, lower, fractions_.data(), static_cast<float>(fraction), static_cast<float>(1 - fraction), inner_, out);
    // dlib's last columns, at the right border, are not rounded.
    const uint8_t* above = picture.pixels + static_cast<size_t>(top) * picture.width;
    const uint8_t* below = picture.pixels + static_cast<size_t>(bottom) * picture.width;
    double x = -across + inner_ * across;
    for (int32_t c = inner_; c < width; c++) {
      x += across;
      const auto left = static_cast<int32_t>(std::floor(x));
      const int32_t right = std::min(left + 1, picture.width - 1);
      const auto share = static_cast<float>(x - left);
      const float over = (1 - share) * static_cast<float>(above[left]) + share * static_cast<float>(above[right]);
      const float under = (1 - share) * static_cast<float>(below[left]) + share * static_cast<float>(below[right]);
      out[c] = static_cast<uint8_t>(static_cast<float>((1 - fraction) * over + fraction * under));
    }
  }
  return {pixels.data(), width, height};
}

}  // namespace patchstream

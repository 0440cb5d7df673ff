#include "pixels/taps.h"

#include <algorithm>
#include <cmath>

namespace patchstream {

namespace {

// Keys' cubic with a = -0.5, as Pillow and torchvision have it.
float cubic(float x) {
  x = std::fabs(x);
  if (x < 1) return (1.5f * x - 2.5f) * x * x + 1;
  if (x < 2) return ((-0.5f * x + 2.5f) * x - 4) * x + 2;
  return 0;
}

float tent(float x) {
  x = std::fabs(x);
  return x < 1 ? 1 - x : 0;
}

}  // namespace

void Taps::make(const Axis& axis) {
  if (made_ && axis == axis_) return;
  // Until they are complete: memory may not be had on the way.
  made_ = false;
  axis_ = axis;
  weigh();
  round();
  spreadOut();
  made_ = true;
}

int32_t Taps::copied() const {
  const auto from = static_cast<int32_t>(axis_.from);
  if (axis_.mirrored != axis_.reversed || axis_.from != from || axis_.to - axis_.from != axis_.resized) return -1;
  return from + (axis_.reversed ? axis_.resized - axis_.first - axis_.count : axis_.first);
}

void Taps::weigh() {
  const double scale = (axis_.to - axis_.from) / axis_.resized;
  // Stretched when the picture gets smaller, so that every source pixel has its part and nothing aliases.
  const double stretch = std::max(scale, 1.0);
  const double support = (axis_.kernel == Kernel::bicubic ? 2.0 : 1.0) * stretch;
  const auto least = static_cast<int32_t>(std::floor(axis_.from));
  const auto most = std::min(axis_.size, static_cast<int32_t>(std::ceil(axis_.to)));
  width_ = (static_cast<int32_t>(std::ceil(2 * support)) + 1 + 3) / 4 * 4;
  firsts_.resize(axis_.count);
  taps_.resize(axis_.count);
  exact_.assign(static_cast<size_t>(axis_.count) * width_, 0);
  low_ = axis_.size;
  high_ = 0;
  const auto narrow = static_cast<float>(1 / stretch);
  for (int32_t i = 0; i < axis_.count; i++) {
    int32_t place = axis_.first + (axis_.mirrored ? axis_.count - 1 - i : i);
    if (axis_.reversed) place = axis_.resized - 1 - place;
    const double centre = axis_.from + (place + 0.5) * scale;
    int32_t begin = std::clamp(static_cast<int32_t>(std::floor(centre - support + 0.5)), least, most - 1);
    int32_t end = std::clamp(static_cast<int32_t>(std::floor(centre + support + 0.5)), begin + 1, most);
    end = std::min(end, begin + width_);
    float* weights = exact_.data() + static_cast<size_t>(i) * width_;
    const auto offset = static_cast<float>(begin + 0.5 - centre);
    float sum = 0;
    for (int32_t k = 0; k < end - begin; k++) {
      const float x = (offset + static_cast<float>(k)) * narrow;
      weights[k] = axis_.kernel == Kernel::bicubic ? cubic(x) : tent(x);
      sum += weights[k];
    }
    const float even = 1 / sum;
    for (int32_t k = 0; k < end - begin; k++) weights[k] *= even;
    firsts_[i] = begin;
    taps_[i] = end - begin;
    low_ = std::min(low_, begin);
    high_ = std::max(high_, end);
  }
}

void Taps::round() {
  float largest = 0;
  for (const float weight : exact_) largest = std::max(largest, std::fabs(weight));
  // As fine as int16 allows; 255 times all weights of an output stay inside an int32 up to 22.
  shift_ = 10;
  while (shift_ < 22 && std::ldexp(largest, shift_ + 1) < 32000) shift_++;
  const auto one = static_cast<float>(1 << shift_);
  weights_.assign(exact_.size(), 0);
  for (int32_t i = 0; i < axis_.count; i++) {
    const float* exact = exact_.data() + static_cast<size_t>(i) * width_;
    int16_t* weights = weights_.data() + static_cast<size_t>(i) * width_;
    int32_t rest = 1 << shift_;
    int32_t heaviest = 0;
    for (int32_t k = 0; k < taps_[i]; k++) {
      weights[k] = static_cast<int16_t>(std::lrintf(exact[k] * one));
      rest -= weights[k];
      if (weights[k] > weights[heaviest]) heaviest = k;
    }
    weights[heaviest] = static_cast<int16_t>(weights[heaviest] + rest);
  }
}

void Taps::spreadOut() {
  // What is loaded for weights that are zero must lie in the margin of the row.
  constexpr int32_t mostApart = 12;
  constexpr int32_t channels = 4;
  fours_.clear();
  spread_.resize(axis_.count / 4 * static_cast<size_t>(width_ / 4) * spreadStep);
  int16_t* to = spread_.data();
  for (int32_t i = 0; i + 6 <= axis_.count; i += 4) {
    const auto [least, most] = std::minmax_element(taps_.begin() + i, taps_.begin() + i + 4);
    if (*most - *least > mostApart) return;
    Four four{};
    for (int32_t j = 0; j < 4; j++) four.offsets[j] = firsts_[i + j] * 3;
    const int32_t quads = (*most + 3) / 4;
    four.length = quads * spreadStep;
    fours_.push_back(four);
    for (int32_t tap = 0; tap < 4 * quads; tap += 4) {
      for (int32_t two = i; two < i + 4; two += 2) {
        for (int32_t pair = tap; pair < tap + 4; pair += 2) {
          for (int32_t output = two; output < two + 2; output++) {
            for (int32_t channel = 0; channel < channels; channel++, to += 2) std::copy_n(weights(output) + pair, 2, to);
          }
        }
      }
    }
  }
}

}  // namespace patchstream

#include "pixels/noise.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace patchstream {

namespace {

using Words = std::array<uint32_t, 4>;

// Ten rounds of Philox4x32 (Salmon et al. 2011), as src/random.ts.
Words philox(Words counter, uint32_t key0, uint32_t key1) {
  for (int32_t round = 0; round < 10; round++) {
    const uint64_t first = uint64_t{0xd2511f53} * counter[0];
    const uint64_t second = uint64_t{0xcd9e8d57} * counter[2];
    counter = {static_cast<uint32_t>(second >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(second),
               static_cast<uint32_t>(first >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(first)};
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
  return counter;
}

// The share of a standard normal below x.
double normalShare(double x) {
  double term = x;
  double sum = x;
  for (int32_t odd = 3; odd < 200; odd += 2) {
    term *= x * x / odd;
    sum += term;
  }
  return 0.5 + std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)) * sum;
}

// The values of a channel by their words: a value is the number of thresholds up to its word.
class Quantiles {
 public:
  Quantiles(double mean, double spread) {
    for (int32_t value = 0; value < 255; value++) {
      thresholds_[value] = static_cast<uint32_t>(std::floor(normalShare((value + 0.5 - mean) / spread) * 4294967296.0 + 0.5));
    }
    int32_t value = 0;
    for (uint32_t part = 0; part < first_.size(); part++) {
      while (value < 255 && thresholds_[value] <= part << 24) value++;
      first_[part] = static_cast<uint8_t>(value);
    }
  }

  uint8_t operator()(uint32_t word) const {
    int32_t value = first_[word >> 24];
    while (value < 255 && thresholds_[value] <= word) value++;
    return static_cast<uint8_t>(value);
  }

 private:
  std::array<uint32_t, 255> thresholds_;
  // Of the least word with these upper eight bits.
  std::array<uint8_t, 256> first_;
};

}  // namespace

void drawNoise(uint32_t key0, uint32_t key1, int32_t row, int32_t count, uint8_t* out) {
  static const std::array<Quantiles, 3> quantiles{Quantiles(123.675, 58.395), Quantiles(116.28, 57.12), Quantiles(103.53, 57.375)};
  for (int32_t at = 0; at < count; at += 4) {
    const Words words = philox({0, 0, static_cast<uint32_t>(row), static_cast<uint32_t>(at) / 4}, key0, key1);
    for (int32_t i = at; i < std::min(at + 4, count); i++) out[i] = quantiles[i % 3](words[i - at]);
  }
}

}  // namespace patchstream

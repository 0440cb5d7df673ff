#include "pixels/resize.h"

#include <algorithm>
#include <atomic>

namespace patchstream {

namespace {

uint8_t byteOf(int32_t sum, int32_t shift) { return static_cast<uint8_t>(std::clamp(sum >> shift, 0, 255)); }

void vertical(const uint8_t* rows, ptrdiff_t stride, const int16_t* weights, int32_t taps, int32_t shift, uint8_t* out, int32_t bytes) {
  constexpr int32_t strip = 64;
  for (int32_t from = 0; from < bytes; from += strip) {
    const int32_t count = std::min(strip, bytes - from);
    int32_t sums[strip];
    std::fill(sums, sums + strip, 1 << (shift - 1));
    for (int32_t k = 0; k < taps; k++) {
      const uint8_t* row = rows + k * stride + from;
      const int32_t weight = weights[k];
      for (int32_t x = 0; x < count; x++) sums[x] += weight * row[x];
    }
    for (int32_t x = 0; x < count; x++) out[from + x] = byteOf(sums[x], shift);
  }
}

void horizontal(const uint8_t* row, const Taps& taps, uint8_t* out) {
  const int32_t shift = taps.shift();
  for (int32_t i = 0; i < taps.count(); i++, out += 3) {
    const uint8_t* pixel = row + static_cast<ptrdiff_t>(taps.first(i)) * 3;
    const int16_t* weights = taps.weights(i);
    int32_t red = 1 << (shift - 1);
    int32_t green = red;
    int32_t blue = red;
    for (int32_t k = 0; k < taps.taps(i); k++, pixel += 3) {
      red += weights[k] * pixel[0];
      green += weights[k] * pixel[1];
      blue += weights[k] * pixel[2];
    }
    out[0] = byteOf(red, shift);
    out[1] = byteOf(green, shift);
    out[2] = byteOf(blue, shift);
  }
}

std::atomic<bool> onlyPortable{false};

}  // namespace

void horizontalGrey(const uint8_t* row, const Taps& taps, uint8_t* out) {
  const int32_t shift = taps.shift();
  for (int32_t i = 0; i < taps.count(); i++) {
    const uint8_t* pixels = row + taps.first(i);
    const int16_t* weights = taps.weights(i);
    int32_t sum = 1 << (shift - 1);
    for (int32_t k = 0; k < taps.taps(i); k++) sum += weights[k] * pixels[k];
    out[i] = byteOf(sum, shift);
  }
}

const Passes portablePasses{vertical, horizontal};

const Passes& passes() {
  static const Passes* const fastest = avx2Passes() == nullptr ? &portablePasses : avx2Passes();
  return arePassesPortable() ? portablePasses : *fastest;
}

void usePortablePasses(bool portable) { onlyPortable = portable; }

bool arePassesPortable() { return onlyPortable.load(std::memory_order_relaxed); }

}  // namespace patchstream

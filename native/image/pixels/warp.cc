#include "pixels/warp.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace patchstream {

namespace {

using Weights = std::array<float, 4>;

// Of four neighbours, for a place that lies t behind the second: Keys' kernel with -0.5, as Pillow's bicubic. They sum to 1.
Weights cubic(float t) {
  return {t * t * (1 - 0.5F * t) - 0.5F * t, t * t * (1.5F * t - 2.5F) + 1, t * t * (-1.5F * t + 2) + 0.5F * t, 0.5F * t * t * (t - 1)};
}

uint8_t byteOf(float value) { return static_cast<uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)); }

}  // namespace

void Warp::draw(int32_t row, int32_t first, int32_t count, bool mirrored, uint8_t* out) const {
  // In doubles: a row is long, and its pixels are to lie where they would alone.
  const double v = row + 0.5;
  const double x0 = matrix[1] * v + matrix[2];
  const double y0 = matrix[4] * v + matrix[5];
  for (int32_t i = 0; i < count; i++, out += 3) {
    const double u = first + (mirrored ? count - 1 - i : i) + 0.5;
    const double x = matrix[0] * u + x0;
    const double y = matrix[3] * u + y0;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) {
      out[0] = static_cast<uint8_t>(background >> 16);
      out[1] = static_cast<uint8_t>(background >> 8);
      out[2] = static_cast<uint8_t>(background);
      continue;
    }
    const auto left = static_cast<int32_t>(std::floor(x - 0.5));
    const auto top = static_cast<int32_t>(std::floor(y - 0.5));
    const Weights across = cubic(static_cast<float>(x - 0.5 - left));
    const Weights down = cubic(static_cast<float>(y - 0.5 - top));
    std::array<int32_t, 4> columns;
    for (int32_t k = 0; k < 4; k++) columns[k] = std::clamp(left - 1 + k, 0, width - 1) * 3;
    float red = 0;
    float green = 0;
    float blue = 0;
    for (int32_t k = 0; k < 4; k++) {
      const uint8_t* line = pixels + static_cast<ptrdiff_t>(std::clamp(top - 1 + k, 0, height - 1)) * width * 3;
      const uint8_t* a = line + columns[0];
      const uint8_t* b = line + columns[1];
      const uint8_t* c = line + columns[2];
      const uint8_t* d = line + columns[3];
      red += down[k] * (across[0] * a[0] + across[1] * b[0] + across[2] * c[0] + across[3] * d[0]);
      green += down[k] * (across[0] * a[1] + across[1] * b[1] + across[2] * c[1] + across[3] * d[1]);
      blue += down[k] * (across[0] * a[2] + across[1] * b[2] + across[2] * c[2] + across[3] * d[2]);
    }
    out[0] = byteOf(red);
    out[1] = byteOf(green);
    out[2] = byteOf(blue);
  }
}

}  // namespace patchstream

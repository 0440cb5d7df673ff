#include "pixels/hue.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace patchstream {

namespace {

// 0-255, rounded down: red 0, green 85, blue 170. In the single precision of Pillow, since a step of the hue is up to 6 of 255.
int32_t hueOf(int32_t red, int32_t green, int32_t blue, int32_t value, int32_t spread) {
  if (spread == 0) return 0;
  const auto share = [value, spread](int32_t each) { return static_cast<double>(static_cast<float>(static_cast<double>(value - each) / spread)); };
  const double r = share(red);
  const double g = share(green);
  const double b = share(blue);
  double sixths = 4 + g - r;
  if (red == value) sixths = b - g;
  else if (green == value) sixths = 2 + r - b;
  const double turned = static_cast<double>(static_cast<float>(sixths)) / 6 + 1;
  return static_cast<int32_t>(static_cast<float>(turned - std::floor(turned)) * 255.0);
}

}  // namespace

void turnHue(const uint8_t* row, int32_t count, int32_t shift, uint8_t* out) {
  for (int32_t x = 0; x < count; x++, row += 3, out += 3) {
    const int32_t value = std::max({row[0], row[1], row[2]});
    const int32_t spread = value - std::min({row[0], row[1], row[2]});
    const int32_t saturation = value == 0 ? 0 : static_cast<int32_t>(static_cast<double>(static_cast<float>(static_cast<double>(spread) / value)) * 255);
    const int32_t hue = (hueOf(row[0], row[1], row[2], value, spread) + shift) & 255;
    // The sixth of the circle, and the rest in parts of 255.
    const int32_t sixth = hue * 6 / 255;
    const int32_t rest = hue * 6 - sixth * 255;
    const auto of = [value, saturation](int32_t share) { return static_cast<uint8_t>((2 * value * (65025 - saturation * share) + 65025) / 130050); };
    const auto full = static_cast<uint8_t>(value);
    const uint8_t low = of(255);
    const uint8_t falling = of(rest);
    const uint8_t rising = of(255 - rest);
    const std::array<std::array<uint8_t, 3>, 6> colours{
        {{full, rising, low}, {falling, full, low}, {low, full, rising}, {low, falling, full}, {rising, low, full}, {full, low, falling}}};
    std::copy_n(colours[sixth % 6].begin(), 3, out);
  }
}

}  // namespace patchstream

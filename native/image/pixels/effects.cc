#include "pixels/effects.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "pixels/hue.h"
#include "pixels/luma.h"
#include "pixels/noise.h"

namespace patchstream {

namespace {

// From `plain` towards `value`, and beyond it, by parts of 65,536; rounded down, but for what the parts were rounded by (at most 128 in a value): whole values stay.
uint8_t mixed(int32_t plain, int32_t value, int32_t parts) {
  return static_cast<uint8_t>(std::clamp((plain * 65536 + parts * (value - plain) + 128) >> 16, 0, 255));
}

// The cubic through four values at a place t behind the second: Keys' kernel with -1, as where Pillow transforms, and not -0.5 as where it resizes.
double between(double p, double q, double r, double s, double t) { return q + t * (r - p + t * (2 * (p - q) + r - s + t * (q - p - r + s))); }

uint8_t byteOf(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)); }

void stretch(const std::array<uint32_t, 256>& counts, std::array<uint8_t, 256>& table) {
  int32_t low = 0;
  int32_t high = 255;
  while (counts[low] == 0) low++;
  while (counts[high] == 0) high--;
  for (int32_t value = 0; value < 256; value++) {
    const int32_t made = high <= low ? value : ((value - low) * 255) / (high - low);
    table[value] = static_cast<uint8_t>(std::clamp(made, 0, 255));
  }
}

// Every value becomes the number of pixels below it, half a step more, in steps of which the pixels below the highest value make 255.
void equalize(const std::array<uint32_t, 256>& counts, std::array<uint8_t, 256>& table) {
  int32_t high = 255;
  while (counts[high] == 0) high--;
  const uint64_t pixels = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  const uint64_t step = (pixels - counts[high]) / 255;
  uint64_t below = step / 2;
  for (int32_t value = 0; value < 256; value++) {
    table[value] = static_cast<uint8_t>(step == 0 ? value : std::min<uint64_t>(below / step, 255));
    below += counts[value];
  }
}

}  // namespace

bool Effect::prepare(const std::function<bool()>& goesOn) {
  if (step_.work == Work::blur) weigh();
  if (step_.work == Work::contrast && !measureLuma(goesOn)) return false;
  if (step_.work == Work::autoContrast || step_.work == Work::equalize) {
    Counts counts{};
    if (!count(goesOn, counts)) return false;
    for (int32_t c = 0; c < 3; c++) (step_.work == Work::equalize ? equalize : stretch)(counts[c], tables_[c]);
  } else if (isTable()) {
    for (int32_t value = 0; value < 256; value++) tables_[0][value] = valueFor(value);
    tables_[1] = tables_[2] = tables_[0];
  }
  return true;
}

uint8_t Effect::valueFor(int32_t value) const {
  switch (step_.work) {
    case Work::posterize:
      return static_cast<uint8_t>(value & (255 << (8 - number(0))));
    case Work::solarize:
      return static_cast<uint8_t>(value < number(0) ? value : 255 - value);
    case Work::solarizeAdd:
      return static_cast<uint8_t>(value < 128 ? std::min(value + number(0), 255) : value);
    default:
      return mixed(luma_, value, number(0));
  }
}

bool Effect::count(const std::function<bool()>& goesOn, Counts& counts) const {
  for (int32_t y = 0; y < height_; y++) {
    if (!goesOn()) return false;
    const uint8_t* row = rowAt(y);
    for (int32_t x = 0; x < width_; x++, row += 3) {
      for (int32_t c = 0; c < 3; c++) counts[c][row[c]]++;
    }
  }
  return true;
}

// Of brightness the luma stays 0: it is mixed with black.
bool Effect::measureLuma(const std::function<bool()>& goesOn) {
  uint64_t sum = 0;
  for (int32_t y = 0; y < height_; y++) {
    if (!goesOn()) return false;
    const uint8_t* row = rowAt(y);
    for (int32_t x = 0; x < width_; x++, row += 3) sum += lumaOf(row[0], row[1], row[2]);
  }
  const uint64_t pixels = static_cast<uint64_t>(width_) * height_;
  luma_ = static_cast<int32_t>((2 * sum + pixels) / (2 * pixels));
  return true;
}

void Effect::weigh() {
  const double sigma = number(0) / 65536.0;
  const auto reach = static_cast<int32_t>(std::ceil(4 * sigma));
  std::vector<double> values;
  for (int32_t k = -reach; k <= reach; k++) values.push_back(std::exp(-(static_cast<double>(k) * k) / (2 * sigma * sigma)));
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  for (const double value : values) weights_.push_back(static_cast<int32_t>(std::floor(value / sum * 65536 + 0.5)));
  weights_[reach] += 65536 - std::accumulate(weights_.begin(), weights_.end(), 0);
  rows_.resize((static_cast<size_t>(width_) + reach) * 6);
}

void Effect::draw(int32_t y, uint8_t* out) {
  switch (step_.work) {
    case Work::affine:
      return drawAffine(y, out);
    case Work::saturation:
      return drawSaturated(rowAt(y), out);
    case Work::sharpness:
      return drawSharpened(y, out);
    case Work::hue:
      return turnHue(rowAt(y), width_, number(0), out);
    case Work::blur:
      return drawBlurred(y, out);
    case Work::noise:
    case Work::fill:
      return drawBox(y, out);
    default:
      return drawTables(rowAt(y), out);
  }
}

void Effect::drawTables(const uint8_t* row, uint8_t* out) const {
  for (int32_t x = 0; x < width_; x++, row += 3, out += 3) {
    for (int32_t c = 0; c < 3; c++) out[c] = tables_[c][row[c]];
  }
}

void Effect::drawSaturated(const uint8_t* row, uint8_t* out) const {
  for (int32_t x = 0; x < width_; x++, row += 3, out += 3) {
    const int32_t luma = lumaOf(row[0], row[1], row[2]);
    for (int32_t c = 0; c < 3; c++) out[c] = mixed(luma, row[c], number(0));
  }
}

// Against the mean of nine neighbours, of which the middle counts five times. The border has not all of them and stays.
void Effect::drawSharpened(int32_t y, uint8_t* out) const {
  const uint8_t* row = rowAt(y);
  const int32_t bytes = width_ * 3;
  std::memcpy(out, row, static_cast<size_t>(bytes));
  if (y == 0 || y == height_ - 1) return;
  const uint8_t* above = row - bytes;
  const uint8_t* below = row + bytes;
  for (int32_t x = 3; x < bytes - 3; x++) {
    const int32_t sum = above[x - 3] + above[x] + above[x + 3] + row[x - 3] + 5 * row[x] + row[x + 3] + below[x - 3] + below[x] + below[x + 3];
    out[x] = mixed((2 * sum + 13) / 26, row[x], number(0));
  }
}

void Effect::drawAffine(int32_t y, uint8_t* out) const {
  const float* m = step_.matrix;
  const double u0 = m[1] * (y + 0.5) + m[2];
  const double v0 = m[4] * (y + 0.5) + m[5];
  for (int32_t x = 0; x < width_; x++, out += 3) {
    const double u = m[0] * (x + 0.5) + u0;
    const double v = m[3] * (x + 0.5) + v0;
    if (!(u >= 0 && v >= 0 && u < width_ && v < height_)) {
      out[0] = static_cast<uint8_t>(step_.background >> 16);
      out[1] = static_cast<uint8_t>(step_.background >> 8);
      out[2] = static_cast<uint8_t>(step_.background);
      continue;
    }
    // The floors of u - 0.5 and v - 0.5, which are at least -0.5.
    const int32_t left = static_cast<int32_t>(u + 0.5) - 1;
    const int32_t top = static_cast<int32_t>(v + 0.5) - 1;
    const double across = u - 0.5 - left;
    const double down = v - 0.5 - top;
    // Shears and moves along one side hit the pixels of the other, where the cubic is the pixel.
    if (down == 0 || across == 0) {
      std::array<const uint8_t*, 4> line;
      for (int32_t k = 0; k < 4; k++) {
        line[k] = down == 0 ? rowAt(top) + std::clamp(left - 1 + k, 0, width_ - 1) * 3 : rowAt(std::clamp(top - 1 + k, 0, height_ - 1)) + left * 3;
      }
      for (int32_t c = 0; c < 3; c++) out[c] = byteOf(between(line[0][c], line[1][c], line[2][c], line[3][c], down == 0 ? across : down));
      continue;
    }
    std::array<int32_t, 4> at;
    std::array<const uint8_t*, 4> rows;
    for (int32_t k = 0; k < 4; k++) at[k] = std::clamp(left - 1 + k, 0, width_ - 1) * 3;
    for (int32_t k = 0; k < 4; k++) rows[k] = rowAt(std::clamp(top - 1 + k, 0, height_ - 1));
    for (int32_t c = 0; c < 3; c++) {
      std::array<double, 4> lines;
      for (int32_t k = 0; k < 4; k++) {
        const uint8_t* row = rows[k] + c;
        lines[k] = between(row[at[0]], row[at[1]], row[at[2]], row[at[3]], across);
      }
      out[c] = byteOf(between(lines[0], lines[1], lines[2], lines[3], down));
    }
  }
}

// Down, which keeps seven bits beyond the value, and then across; all sums are of whole rows, which compilers make vectors of.
void Effect::drawBlurred(int32_t y, uint8_t* out) {
  const auto reach = static_cast<int32_t>(weights_.size() / 2);
  const int32_t bytes = width_ * 3;
  int32_t* down = rows_.data() + static_cast<ptrdiff_t>(reach) * 3;
  int32_t* across = down + bytes + static_cast<ptrdiff_t>(reach) * 3;
  std::fill_n(down, bytes, 256);
  for (int32_t k = -reach; k <= reach; k++) {
    const uint8_t* row = rowAt(std::clamp(y + k, 0, height_ - 1));
    const int32_t weight = weights_[k + reach];
    for (int32_t x = 0; x < bytes; x++) down[x] += weight * row[x];
  }
  for (int32_t x = 0; x < bytes; x++) down[x] >>= 9;
  for (int32_t x = 1; x <= reach * 3; x++) down[-x] = down[2 - (x - 1) % 3];
  for (int32_t x = 0; x < reach * 3; x++) down[bytes + x] = down[bytes - 3 + x % 3];
  std::fill_n(across, bytes, 1 << 22);
  for (int32_t k = -reach; k <= reach; k++) {
    const int32_t* from = down + static_cast<ptrdiff_t>(k) * 3;
    const int32_t weight = weights_[k + reach];
    for (int32_t x = 0; x < bytes; x++) across[x] += weight * from[x];
  }
  for (int32_t x = 0; x < bytes; x++) out[x] = static_cast<uint8_t>(across[x] >> 23);
}

void Effect::drawBox(int32_t y, uint8_t* out) const {
  std::memcpy(out, rowAt(y), static_cast<size_t>(width_) * 3);
  const int32_t inside = y - number(1);
  if (inside < 0 || inside >= number(3)) return;
  uint8_t* at = out + static_cast<ptrdiff_t>(number(0)) * 3;
  if (step_.work == Work::noise) {
    drawNoise(static_cast<uint32_t>(number(4)), static_cast<uint32_t>(number(5)), inside, number(2) * 3, at);
    return;
  }
  for (int32_t x = 0; x < number(2); x++, at += 3) {
    at[0] = static_cast<uint8_t>(step_.background >> 16);
    at[1] = static_cast<uint8_t>(step_.background >> 8);
    at[2] = static_cast<uint8_t>(step_.background);
  }
}

}  // namespace patchstream

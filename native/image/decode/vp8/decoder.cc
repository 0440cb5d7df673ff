#include "decode/vp8/decoder.h"

#ifdef PATCHSTREAM_VP8

#include <algorithm>
#include <cstring>

#include <cpuid.h>

namespace patchstream::vp8 {

namespace {

constexpr int32_t side = 16;
constexpr int32_t chromaSide = 8;

// What stands for pixels above a picture, and to the left of it.
constexpr uint8_t noneAbove = 127;
constexpr uint8_t noneLeft = 129;

// How far the filter reaches beyond the edge of a macroblock, as libwebp counts it.
constexpr int32_t reachOf(Filter filter) { return filter == Filter::normal ? 8 : filter == Filter::simple ? 2 : 0; }

struct Frame {
  const uint8_t* begin = nullptr;
  const uint8_t* end = nullptr;
};

uint32_t number32(const uint8_t* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

bool is(const uint8_t* from, const char* name) { return std::memcmp(from, name, 4) == 0; }

// The frame of a whole file that has nothing else which matters to its pixels.
Frame frameOf(const uint8_t* file, size_t length) {
  constexpr size_t chunkHeader = 8;
  constexpr size_t fileHeader = 12;
  if (length < fileHeader || !is(file, "RIFF") || !is(file + 8, "WEBP")) return {};
  const size_t end = chunkHeader + size_t{number32(file + 4)};
  if (end > length) return {};
  bool extended = false;
  for (size_t at = fileHeader; end >= at && end - at >= chunkHeader;) {
    const uint8_t* const chunk = file + at;
    const size_t size = number32(chunk + 4);
    at += chunkHeader;
    if (size > end - at) return {};
    if (is(chunk, "VP8 ")) return {chunk + chunkHeader, chunk + chunkHeader + size};
    const bool first = at == fileHeader + chunkHeader;
    if (first ? !is(chunk, "VP8X") : !extended || is(chunk, "ALPH") || is(chunk, "VP8L")) return {};
    extended = true;
    at += size + (size & 1);
  }
  return {};
}

// Whether a macroblock depends on the one above it to the right: one of its blocks at the right edge does.
bool looksRight(const Macroblock& macroblock) {
  if (!macroblock.inBlocks) return false;
  for (size_t i = 3; i < macroblock.luma.size(); i += 4) {
    const uint8_t mode = macroblock.luma[i];
    // The mean of three at the last pixel above takes the next one.
    if (mode == lowerLeft || mode == steepLeft || mode == vertical) return true;
  }
  return false;
}

}  // namespace

bool Decoder::serves() {
  // Every processor with the others counts leading zeros as well, but not every machine that is made of software; without it the instruction means another thing. Not every
  // compiler can be asked for it by name.
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool counts = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & bit_LZCNT) != 0;
    return counts && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  }();
  return has;
}

void Decoder::Ring::begin(int32_t side, int32_t across) {
  side_ = side;
  width_ = static_cast<ptrdiff_t>(side) * across;
  stride_ = width_ + 2 * border;
  pixels_.need(static_cast<size_t>(2 * side * stride_));
  for (int32_t y = 0; y < 2 * side; y++) row(y)[-1] = noneLeft;
  std::memset(above_.need(static_cast<size_t>(stride_)), noneAbove, static_cast<size_t>(stride_));
}

void Decoder::Ring::keep(int32_t y) {
  uint8_t* const above = above_.data() + border;
  std::memcpy(above, row(y * side_ + side_ - 1), static_cast<size_t>(width_));
  above[-1] = noneLeft;
  std::memset(above + width_, above[width_ - 1], 4);
}

void Decoder::Ring::trim(size_t most) {
  pixels_.trim(most);
  above_.trim(most);
}

void Decoder::trim(size_t most) {
  for (Ring* ring : {&luma_, &u_, &v_}) ring->trim(most);
  if (macroblocks_.capacity() * sizeof(Macroblock) > most) std::vector<Macroblock>().swap(macroblocks_);
}

Decoder::Extent Decoder::extentOf(const Part& part) const {
  const int32_t reach = reachOf(header_.filter);
  Extent extent{};
  extent.across = (header_.width + side - 1) / side;
  extent.rows = std::min((header_.height + side - 1) / side, (part.top + part.height + reach + side - 1) / side);
  extent.right = std::min(extent.across, (part.left + part.width + reach + side - 1) / side);
  // What the normal filter does to a pixel can depend on all to the left of it and above.
  if (header_.filter != Filter::normal) {
    extent.left = std::max(0, part.left - reach) / side;
    extent.top = std::max(0, part.top - reach) / side;
  }
  return extent;
}

bool Decoder::readModes(const Extent& extent, const std::atomic<bool>& stop) {
  const auto across = static_cast<size_t>(extent.across);
  macroblocks_.resize(across * static_cast<size_t>(extent.rows));
  modes_.assign(4 * across, mean);
  for (size_t y = 0; y < static_cast<size_t>(extent.rows) && !stop.load(std::memory_order_relaxed); y++) {
    header_.readMacroblocks(modes_.data(), &macroblocks_[y * across], across);
    if (header_.first.isBeyond()) return false;
  }
  return true;
}

void Decoder::findEnds(const Extent& extent) {
  ends_.assign(static_cast<size_t>(extent.rows), extent.right);
  for (auto y = static_cast<size_t>(extent.rows); y-- > 1;) {
    const int32_t end = ends_[y];
    const bool more = end < extent.across && looksRight(macroblocks_[y * static_cast<size_t>(extent.across) + static_cast<size_t>(end) - 1]);
    ends_[y - 1] = more ? end + 1 : end;
  }
}

bool Decoder::decodeRow(const Extent& extent, int32_t y) {
  Bools& partition = header_.coefficients[static_cast<size_t>(y) & (header_.partitions - 1)];
  Macroblock* const row = &macroblocks_[static_cast<size_t>(y) * static_cast<size_t>(extent.across)];
  Neighbours left{};
  bool unusual = false;
  for (int32_t x = 0; x < extent.across; x++) {
    Macroblock& macroblock = row[x];
    Neighbours& above = neighbours_[static_cast<size_t>(x)];
    if (macroblock.skipped) {
      // Means of blocks of 4 × 4 are not apart, and do not count.
      const size_t count = macroblock.inBlocks ? above.size() - 1 : above.size();
      std::fill_n(above.begin(), count, 0);
      std::fill_n(left.begin(), count, 0);
      coefficients_.has.fill(nothing);
    } else {
      macroblock.skipped = !readCoefficients(partition, header_, macroblock, above, left, coefficients_, unusual);
    }
    if (x < ends_[static_cast<size_t>(y)]) reconstruct(macroblock, {y > 0, x > 0}, luma_.placeOf(x, y), u_.placeOf(x, y), v_.placeOf(x, y), coefficients_);
    else coefficients_.values.fill(0);
  }
  return !unusual && !partition.isBeyond();
}

void Decoder::smoothRow(const Extent& extent, int32_t y) {
  if (header_.filter == Filter::none || y < extent.top) return;
  for (int32_t x = extent.left; x < extent.right; x++) {
    const Macroblock& macroblock = macroblocks_[static_cast<size_t>(y) * static_cast<size_t>(extent.across) + static_cast<size_t>(x)];
    const Strength& strength = header_.strengths[macroblock.segment][macroblock.inBlocks ? 1 : 0];
    smooth(header_.filter, strength, macroblock.inBlocks || !macroblock.skipped, {y > 0, x > 0}, luma_.planeOf(x, y), u_.planeOf(x, y), v_.planeOf(x, y));
  }
}

Outcome Decoder::decode(const uint8_t* file, size_t length, int32_t width, int32_t height, const Part& part, const std::atomic<bool>& stop, uint8_t* rgb, ptrdiff_t stride) {
  const Frame frame = frameOf(file, length);
  coefficients_ = {};
  if (frame.begin == nullptr || !header_.read(frame.begin, frame.end) || header_.width != width || header_.height != height) return Outcome::unsure;
  const Extent extent = extentOf(part);
  if (!readModes(extent, stop)) return Outcome::unsure;
  findEnds(extent);
  neighbours_.assign(static_cast<size_t>(extent.across), {});
  luma_.begin(side, extent.across);
  u_.begin(chromaSide, extent.across);
  v_.begin(chromaSide, extent.across);
  const int32_t bottom = part.top + part.height;
  // Of the last rows the filter has yet to change some, or the chroma below is not there.
  const int32_t late = header_.filter == Filter::none ? 1 : 8;
  int32_t done = part.top;
  for (int32_t y = 0; y < extent.rows; y++) {
    if (stop.load(std::memory_order_relaxed)) return Outcome::stopped;
    if (!decodeRow(extent, y)) return Outcome::unsure;
    for (Ring* ring : {&luma_, &u_, &v_}) ring->keep(y);
    smoothRow(extent, y);
    const int32_t until = y + 1 == extent.rows ? bottom : std::min(bottom, side * (y + 1) - late);
    for (; done < until; done++, rgb += stride) {
      const auto chromaRow = [&](Ring& ring) -> ChromaRow {
        const int32_t near = done / 2;
        const int32_t far = std::clamp(done % 2 == 0 ? near - 1 : near + 1, part.top / 2, (bottom - 1) / 2);
        return {ring.row(near) + part.left / 2, ring.row(far) + part.left / 2};
      };
      colours_.row(luma_.row(done) + part.left, chromaRow(u_), chromaRow(v_), part.width, rgb);
    }
  }
  return Outcome::well;
}

}  // namespace patchstream::vp8

#endif

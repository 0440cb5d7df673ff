#include "encode/jpeg/blocks.h"

#include <algorithm>
#include <cstring>

#include "encode/jpeg/colours.h"
#include "encode/jpeg/wide.h"

namespace patchstream {

namespace {

constexpr int32_t side = Divisors::side;
constexpr size_t blockSize = Symbols::blockSize;
constexpr size_t channels = 3;
// Pixels that rows are made of: four blocks of halved colours, and whole vectors.
constexpr size_t rowUnit = 128;

}  // namespace

bool JpegBlocks::canServe() {
#ifdef PATCHSTREAM_WIDE
  return isWide();
#else
  return false;
#endif
}

void JpegBlocks::makePlanes(int32_t row) {
  const int32_t first = row * partSide_;
  const int32_t count = std::min(partSide_, page_.height - first);
  const size_t plane = partSide_ * stride_;
  uint8_t* const planes = planes_.data();
  const size_t ours = page_.channels == 1 ? 1 : channels;
  for (int32_t y = 0; y < count; y++) {
    const uint8_t* from = page_.data + (first + y) * page_.stride();
    uint8_t* const to = planes + y * stride_;
    if (ours == 1) {
      std::memcpy(to, from, page_.width);
    } else {
      convertRow(from, page_.width, to, to + plane, to + 2 * plane);
    }
    for (size_t k = 0; k < ours; k++) std::memset(to + k * plane + page_.width, to[k * plane + page_.width - 1], stride_ - page_.width);
  }
  const auto goOn = [](uint8_t* rows, size_t stride, int32_t from, int32_t until) {
    for (int32_t y = from; y < until; y++) std::memcpy(rows + y * stride, rows + (from - 1) * stride, stride);
  };
  // Of an odd number of rows, the last is halved with itself; what goes on below is the last of the halved ones.
  goOn(planes, stride_, count, partSide_);
  for (size_t k = 1; k < ours; k++) {
    uint8_t* const rows = planes + k * plane;
    if (!halved_) {
      goOn(rows, stride_, count, partSide_);
      continue;
    }
    goOn(rows, stride_, count, count + count % 2);
    uint8_t* const halves = planes + channels * plane + (k - 1) * side * (stride_ / 2);
    const int32_t made = (count + 1) / 2;
    for (int32_t y = 0; y < made; y++) halve(rows + 2 * y * stride_, rows + (2 * y + 1) * stride_, stride_, halves + y * (stride_ / 2));
    goOn(halves, stride_ / 2, made, side);
  }
}

void JpegBlocks::begin(const Page& page, bool subsampled, const uint16_t* luma, const uint16_t* chroma) {
  page_ = page;
  halved_ = subsampled && page.channels == 3;
  partSide_ = halved_ ? 2 * side : side;
  stride_ = (page.width + rowUnit - 1) / rowUnit * rowUnit;
  luma_ = Divisors(luma);
  if (page.channels == 3) chroma_ = Divisors(chroma);
  planes_.need((channels * partSide_ + side) * stride_);
  coefficients_.need((channels - 1 + partSide_ / side) * (stride_ / side) * blockSize * sizeof(int16_t));
}

void JpegBlocks::add(int32_t row, JpegPacker& packer) {
  makePlanes(row);
  const uint8_t* const planes = planes_.data();
  auto* const coefficients = reinterpret_cast<int16_t*>(coefficients_.data());
  const int32_t across = (page_.width + side - 1) / side;
  const int32_t down = partSide_ / side;
  const auto rowSize = static_cast<size_t>(stride_ / side * blockSize);
  for (int32_t i = 0; i < down; i++) transform(planes + i * side * stride_, stride_, across, luma_, coefficients + i * rowSize);
  const size_t plane = partSide_ * stride_;
  const int32_t parts = (page_.width + partSide_ - 1) / partSide_;
  if (page_.channels == 3) {
    const size_t stride = halved_ ? stride_ / 2 : stride_;
    for (size_t k = 1; k < channels; k++) {
      const uint8_t* const from = halved_ ? planes + channels * plane + (k - 1) * side * stride : planes + k * plane;
      transform(from, stride, parts, chroma_, coefficients + (down + k - 1) * rowSize);
    }
  }
  // Blocks beyond the picture's have the mean of the one before and nothing else.
  const int32_t there = (std::min(partSide_, page_.height - row * partSide_) + side - 1) / side;
  for (int32_t part = 0; part < parts; part++) {
    for (int32_t i = 0; i < down; i++) {
      for (int32_t k = 0; k < down; k++) {
        const int32_t at = part * down + k;
        if (i < there && at < across) packer.add(0, coefficients + i * rowSize + at * blockSize);
        else packer.repeat(0);
      }
    }
    if (page_.channels == 3) {
      for (size_t k = 1; k < channels; k++) packer.add(k, coefficients + (down + k - 1) * rowSize + part * blockSize);
    }
  }
}

}  // namespace patchstream

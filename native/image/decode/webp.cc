#include "decode/webp.h"

#ifdef PATCHSTREAM_WEBP

#include <algorithm>

#include "decode/lay.h"
#include "pixels/resize.h"

namespace patchstream {

namespace {

// Between two pieces of a file it is asked whether to stop, and whether the last row is there.
constexpr size_t leastPiece = size_t{16} << 10;
constexpr size_t pieces = 16;

// Chroma that is half as fine is interpolated from its neighbours, and at an edge it has none; libwebp begins at even rows and columns.
constexpr int32_t around = 2;

// As libwebp calls it.
[[maybe_unused]] constexpr int lossyFormat = 1;

}  // namespace

Answer WebpReader::refuse(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return Answer::memory;
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return Answer::foreign;
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      reason_ = "the file ends before its last row";
      return Answer::broken;
    default:
      reason_ = "its codes are damaged";
      return Answer::broken;
  }
}

Answer WebpReader::open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop) {
  bytes_ = bytes;
  length_ = length;
  stop_ = &stop;
  const VP8StatusCode status = WebPGetFeatures(bytes, length, &features_);
  if (status != VP8_STATUS_OK) return refuse(status);
  if (features_.has_animation != 0) return Answer::foreign;
  if (features_.width == width && features_.height == height) return Answer::well;
  reason_ = "its size is another than when it was opened";
  return Answer::broken;
}

void WebpReader::trim(size_t most) {
  rows_.trim(most);
#ifdef PATCHSTREAM_VP8
  lossy_.trim(most);
#endif
}

bool WebpReader::readsLossy() {
#ifdef PATCHSTREAM_VP8
  return vp8::Decoder::serves() && !arePassesPortable();
#else
  return false;
#endif
}

bool WebpReader::readLossy([[maybe_unused]] const Region& region, [[maybe_unused]] uint8_t* out, [[maybe_unused]] Answer& answer) {
#ifdef PATCHSTREAM_VP8
  if (!readsLossy() || features_.has_alpha != 0 || features_.format != lossyFormat) return false;
  const vp8::Part part{region.left, region.top, region.width, region.height};
  const vp8::Outcome outcome = lossy_.decode(bytes_, length_, features_.width, features_.height, part, *stop_, out, region.stride);
  answer = outcome == vp8::Outcome::stopped ? Answer::stopped : Answer::well;
  return outcome != vp8::Outcome::unsure;
#else
  return false;
#endif
}

Answer WebpReader::read(int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t background, Buffer& into, Region& region) {
  region.left = std::max(0, left - around) & ~1;
  region.top = std::max(0, top - around) & ~1;
  region.width = std::min(features_.width, right + around) - region.left;
  region.height = std::min(features_.height, bottom + around) - region.top;
  region.channels = 3;
  region.stride = static_cast<ptrdiff_t>(region.width) * 3;
  uint8_t* out = into.need(static_cast<size_t>(region.stride) * region.height);
  region.data = out;
  Answer answer = Answer::well;
  if (readLossy(region, out, answer)) return answer;
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    reason_ = "libwebp is of another version than its headers";
    return Answer::broken;
  }
  config.options.use_cropping = 1;
  config.options.crop_left = region.left;
  config.options.crop_top = region.top;
  config.options.crop_width = region.width;
  config.options.crop_height = region.height;
  const bool alpha = features_.has_alpha != 0;
  const ptrdiff_t stride = static_cast<ptrdiff_t>(region.width) * (alpha ? 4 : 3);
  const size_t size = static_cast<size_t>(stride) * region.height;
  uint8_t* decoded = alpha ? rows_.need(size) : out;
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {decoded, static_cast<int>(stride), size};
  answer = decode(config);
  if (answer != Answer::well || !alpha) return answer;
  for (int32_t y = 0; y < region.height; y++) layOn(decoded + y * stride, region.width, 4, background, out + y * region.stride);
  return answer;
}

Answer WebpReader::decode(WebPDecoderConfig& config) {
  WebPIDecoder* decoder = WebPIDecode(nullptr, 0, &config);
  if (decoder == nullptr) return Answer::memory;
  const size_t piece = std::max(leastPiece, length_ / pieces);
  VP8StatusCode status = VP8_STATUS_SUSPENDED;
  int rows = 0;
  bool stopped = false;
  for (size_t given = 0; given < length_ && status == VP8_STATUS_SUSPENDED && rows < config.options.crop_height && !stopped;) {
    given += std::min(piece, length_ - given);
    status = WebPIUpdate(decoder, bytes_, given);
    if (WebPIDecGetRGB(decoder, &rows, nullptr, nullptr, nullptr) == nullptr) rows = 0;
    stopped = stop_->load(std::memory_order_relaxed);
  }
  WebPIDelete(decoder);
  if (stopped) return Answer::stopped;
  if (status == VP8_STATUS_OK || (status == VP8_STATUS_SUSPENDED && rows >= config.options.crop_height)) return Answer::well;
  return refuse(status);
}

}  // namespace patchstream

#endif

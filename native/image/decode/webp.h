#pragma once

#ifdef PATCHSTREAM_WEBP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <webp/decode.h>

#include "answer.h"
#include "decode/region.h"
#include "decode/vp8/decoder.h"
#include "pixels/buffer.h"

namespace patchstream {

// Decodes WebPs: lossy ones without alpha by a decoder of our own where the machine has its vectors (vp8/), which is as exact and faster, and all others by libwebp, also what ours is
// unsure of. What is transparent is laid on a colour. An animation is left to another.
//
// Broken is a file that ends before the rows that are read, and codes that are none. No harm is what lies behind the pixels, and its absence. Rows below those
// that are read are not judged, but where libwebp decodes for about a sixteenth of the file.
class WebpReader {
 public:
  WebpReader() = default;
  WebpReader(const WebpReader&) = delete;
  WebpReader& operator=(const WebpReader&) = delete;

  // Whether lossy ones are decoded without libwebp.
  static bool readsLossy();

  // Reads the header and holds it to the size that the caller has checked against its limits. `bytes` must stay until `read` has ended. As soon as `stop` is true,
  // reading ends as `stopped`.
  Answer open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop);

  // Decodes the columns [left, right) and rows [top, bottom), and a few around them, to RGB in `into`, laid on `background`, 0xRRGGBB.
  Answer read(int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t background, Buffer& into, Region& region);

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most);

  const char* reason() const { return reason_; }

 private:
  Answer refuse(VP8StatusCode status);
  // False where libwebp is to decode.
  bool readLossy(const Region& region, uint8_t* out, Answer& answer);
  // Decodes as the config says, until its last row is there.
  Answer decode(WebPDecoderConfig& config);

  const uint8_t* bytes_ = nullptr;
  size_t length_ = 0;
  const std::atomic<bool>* stop_ = nullptr;
  WebPBitstreamFeatures features_{};
  Buffer rows_;
#ifdef PATCHSTREAM_VP8
  vp8::Decoder lossy_;
#endif
  const char* reason_ = "";
};

}  // namespace patchstream

#endif

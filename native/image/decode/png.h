#pragma once

#ifdef PATCHSTREAM_PNG

#include <atomic>
#include <csetjmp>
#include <cstddef>
#include <cstdint>

#include <png.h>

#include "answer.h"
#include "decode/png_rows.h"
#include "decode/region.h"
#include "pixels/buffer.h"

namespace patchstream {

// Decodes PNGs by libpng, picture after picture: all colour types and depths, interlaced or not. Palettes become RGB, fewer than 8 bits of grey are spread
// over 0 to 255, of 16 bits the upper 8 are kept, and what is transparent (an alpha channel, tRNS) is laid on a colour. gAMA and other hints at how to show a
// picture are not read.
//
// Most photographs are read by png_rows.h, without libpng but for the header; what that cannot read, or finds anything wrong with, libpng reads from its first row.
//
// On Linux libpng unpacks by the zlib inside Node, which Node exports and the loader finds before Debian's (all functions of it, so that nothing is mixed).
//
// Broken is a picture that is cut before its last row is there, a critical chunk whose sum is wrong, and codes that are none; so are pixels whose sum is wrong, and
// a wrong sum of tRNS. No harm is a wrong sum of another chunk, data after the last row, bytes behind the end, and a missing end. Rows below those that are read are
// not judged, and are not unpacked where the picture is not interlaced.
class PngReader {
 public:
  PngReader() = default;
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { close(); }

  // Reads the header and holds it to the size that the caller has checked against its limits. `bytes` must stay until the next call. As soon as `stop` is true,
  // reading ends as `stopped`.
  Answer open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop);

  // Decodes the columns [left, right) and rows [top, bottom) to RGB in `into`, or to grey where the file has nothing else, laid on `background`, 0xRRGGBB. An
  // interlaced picture takes memory for the whole width of those rows.
  Answer read(int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t background, Buffer& into, Region& region);

  // Gives back the memory of the picture, however far it was read.
  void close();
  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) {
    rows_.trim(most);
#ifdef PATCHSTREAM_PNG_ROWS
    plain_.trim(most);
#endif
  }

  const char* reason() const { return message_; }

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp message);
  static void warn(png_structp png, png_const_charp message);
  static void give(png_structp png, png_bytep into, size_t count);
  static png_voidp allocate(png_structp png, png_alloc_size_t bytes);
  [[noreturn]] void leave(Answer why);
  // Says in `region` where the pixels come to lie in `into`: the first of them.
  static uint8_t* shape(int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t channels, Buffer& into, Region& region);
  // Writes a row of `channels` where it belongs.
  static void lay(const uint8_t* row, int32_t channels, int32_t background, const Region& region, uint8_t* to);
#ifdef PATCHSTREAM_PNG_ROWS
  // Reads without libpng. `broken`: libpng is to try; `at_` is where it was.
  Answer readPlain(int32_t background, int32_t channels, const Region& region, uint8_t* out);
  // How many channels a picture has that is plain enough, else 0.
  int32_t plainChannels() const;
#endif
  // Passes over the whole width: libpng needs what earlier passes have put into a row.
  void readPasses(int32_t passes, int32_t top, int32_t bottom, int32_t high, uint8_t* rows, size_t rowBytes);

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  const std::atomic<bool>* stop_ = nullptr;
  // A row, or all that are wanted of an interlaced picture.
  Buffer rows_;
#ifdef PATCHSTREAM_PNG_ROWS
  PngRows plain_;
#endif
  bool short_ = false;
  // Of the function that is jumped to.
  Answer answer_ = Answer::well;
  std::jmp_buf jump_;
  char message_[160] = "";
};

}  // namespace patchstream

#endif

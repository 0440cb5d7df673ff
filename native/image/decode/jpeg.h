#pragma once

#include <atomic>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

#include "answer.h"
#include "decode/huffman/scan.h"
#include "decode/region.h"
#include "pixels/buffer.h"

namespace patchstream {

// One decompressor of libjpeg-turbo, used for picture after picture. What is wrong with a file is said by a return value and `reason()`; libjpeg
// never ends the process and never prints.
//
// libjpeg decodes damaged data to its end and warns. The warnings that mean other pixels than were written make a picture broken: too little data, codes that
// are none, a restart that is another or too late, data left over. Those that mean none do not: bytes between segments, an odd version or colour transform,
// bytes behind the picture, a missing end behind a complete scan. Rows below those that are read are not judged.
class JpegReader {
 public:
  JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  ~JpegReader();

  // Reads the header and holds it to the size that the caller has checked against its limits: no memory is taken for another. `bytes` must stay
  // until the next call. `foreign`: colours that need a profile to become RGB (CMYK, YCCK), and what this libjpeg-turbo does not decode (12 bits, lossless).
  // As soon as `stop` is true, reading ends as `stopped`.
  Answer open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop);

  // Width or height when every `shrink` pixels (1, 2, 4, 8) become one.
  static int32_t shrunk(int32_t side, int32_t shrink) { return (side + shrink - 1) / shrink; }

  // Decodes the columns [left, right) and rows [top, bottom) of the shrunk picture to RGB in `into`, or to luma where `channels` is 1, and stops
  // reading behind them. What is decoded may be wider.
  Answer read(int32_t shrink, int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t channels, Buffer& into, Region& region);

  // Gives back the memory of the picture, however far it was read.
  void close() { jpeg_abort_decompress(&info_); }

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) { scan_.trim(most); }

  const char* reason() const { return error_.message; }

 private:
  struct Errors : jpeg_error_mgr {
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    const std::atomic<bool>* stop;
    // The whole file.
    const uint8_t* begin;
    const uint8_t* end;
    // Of the function that is jumped to.
    Answer answer;
    [[noreturn]] void leave(Answer why);
  };

  static void fail(j_common_ptr info);
  static void warn(j_common_ptr info, int level);
  static void watch(j_common_ptr info);
  static boolean endFile(j_decompress_ptr info);
  // Whether something was read that libjpeg has not decoded, though the last row is there; see leftover.h.
  bool leavesData() const;
  Answer refuse(const char* reason);

  jpeg_decompress_struct info_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  Errors error_{};
  HuffmanScan scan_;
};

}  // namespace patchstream

#pragma once

#include <atomic>
#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>

#include "answer.h"
#include "encode/bytes.h"
#include "encode/encoding.h"

namespace patchstream {

// One compressor of libjpeg-turbo, used for picture after picture. It writes baseline JPEGs with Huffman tables of their own (about 5 % smaller than with the
// standard's), and the slow, exact cosine transform: what sharp's defaults are. The bytes depend on the pixels, the options and the library alone.
class JpegWriter {
 public:
  // libjpeg's limit.
  static constexpr int32_t longestSide = JPEG_MAX_DIMENSION;

  JpegWriter();
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;
  ~JpegWriter();

  // Writes the page to `file`, which is empty afterwards unless all went well. As soon as `stop` is true, it ends as `stopped`.
  Answer write(const Page& page, const Encoding& encoding, const std::atomic<bool>& stop, Bytes& file);

  const char* reason() const { return error_.message; }

 private:
  struct Errors : jpeg_error_mgr {
    std::jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    Answer answer;
  };
  struct Destination : jpeg_destination_mgr {
    Bytes* file;
  };

  static void fail(j_common_ptr info);
  static boolean more(j_compress_ptr info);
  Answer compress(const Page& page, const Encoding& encoding, const std::atomic<bool>& stop);

  jpeg_compress_struct info_{};
  Destination destination_{};
  Errors error_{};
};

}  // namespace patchstream

#pragma once

#include <atomic>
#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>

#include "answer.h"
#include "encode/bytes.h"
#include "encode/encoding.h"
#include "encode/jpeg/blocks.h"
#include "encode/jpeg/packer.h"

namespace patchstream {

// One compressor of libjpeg-turbo, used for picture after picture. It writes baseline JPEGs with Huffman tables of their own (about 5 % smaller than with the
// standard's; see packer.h), and the slow, exact cosine transform: what sharp's defaults are. The bytes depend on the pixels, the options and the library alone.
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

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) {
    blocks_.trim(most);
    packer_.trim(most);
  }

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
  // How coefficients are packed: with the standard's tables, with libjpeg's for this picture, or by `packer_`.
  enum class Packing { standard, optimised, ours };
  // Throws std::bad_alloc.
  Answer compress(const Page& page, const Encoding& encoding, Packing packing, const std::atomic<bool>& stop);
  void takeBlocks();
  // Throws std::bad_alloc.
  Answer makeBlocks(const Page& page, const Encoding& encoding, const std::atomic<bool>& stop);

  jpeg_compress_struct info_{};
  Destination destination_{};
  // Puts the standard's tables in the place of those that libjpeg has found for an earlier picture, which it keeps.
  void resetTables();

  Errors error_{};
  JpegBlocks blocks_;
  JpegPacker packer_;
  // Classes and numbers of tables that are used.
  static constexpr int32_t pairs = 2;
  bool hasStandard_ = false;
  JHUFF_TBL standard_[2 * pairs]{};
};

}  // namespace patchstream

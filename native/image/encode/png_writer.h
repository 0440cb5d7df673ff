#pragma once

#ifdef PATCHSTREAM_DEFLATE

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <libdeflate.h>

#include "answer.h"
#include "encode/bytes.h"
#include "encode/encoding.h"
#include "pixels/buffer.h"

namespace patchstream {

// Makes PNGs with libdeflate at its fastest level: of each row the pixels themselves, or what is left of them when Paeth's filter has predicted them, whichever
// is nearer to zero. libdeflate packs a picture in one call, in half to two thirds of the time of zlib's fastest level for photographs and a quarter for
// digits.
class PngWriter {
 public:
  // Bytes of a picture at most: what is larger is left to another, since all of it must be in memory, and one call cannot be stopped.
  static constexpr size_t mostBytes = size_t{64} << 20;

  // Writes the page to `file`, which is empty afterwards unless all went well. As soon as `stop` is true, it ends as `stopped`.
  Answer write(const Page& page, const std::atomic<bool>& stop, Bytes& file);

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) { rows_.trim(most); }

 private:
  struct Free {
    void operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }
  };

  std::unique_ptr<libdeflate_compressor, Free> compressor_;
  // The filtered rows, each behind the number of its filter.
  Buffer rows_;
};

}  // namespace patchstream

#endif

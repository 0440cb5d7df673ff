#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

enum class Format : int32_t { none = 0, jpeg = 1, png = 2 };

// The file that a picture is to become.
struct Encoding {
  Format format = Format::none;
  // Of JPEG, 1-100.
  int32_t quality = 0;
  // Of JPEG: whether two rows and columns of pixels share their colour (4:2:0), or none do (4:4:4).
  bool subsampled = true;
  // Of JPEG: whether it has Huffman tables of its own, or the standard's.
  bool optimized = true;
  // Whether it is to be written, to the job's path.
  bool kept = false;
};

// Pixels, rows first and with nothing between them: RGB, or grey where channels is 1.
struct Page {
  const uint8_t* data;
  int32_t width;
  int32_t height;
  int32_t channels;

  size_t stride() const { return static_cast<size_t>(width) * channels; }
};

}  // namespace patchstream

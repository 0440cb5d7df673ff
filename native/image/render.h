#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "decode/jpeg.h"
#include "decode/png.h"
#include "decode/webp.h"
#include "encode/jpeg/writer.h"
#include "encode/png_writer.h"
#include "job.h"
#include "pixels/buffer.h"
#include "pixels/resize.h"
#include "pixels/taps.h"

namespace patchstream {

// What one thread needs to render; its memory grows to the largest picture and is used again.
class Renderer {
 public:
  // Does the job's steps, and notes on it what came of them.
  void run(Job& job);

 private:
  // How the source lies: EXIF's eight orientations are a transposition and mirrors of the upright sides.
  struct Turn {
    bool transposed = false;
    bool mirroredX = false;
    bool mirroredY = false;
  };
  static Turn turnOf(int32_t orientation);

  Outcome attempt(Job& job);
  Outcome decode(Job& job, const Step& step, const Turn& turn, Region& region);
  Outcome decodeJpeg(Job& job, const Step& step, const Turn& turn, Region& region);
  // Of a format whose decoder knows no shrinking.
  template <class Reader>
  Outcome decodeBy(Reader& reader, Job& job, const Step& step, const Turn& turn, Region& region);
  void prepareFile(const Job& job, const Step& step, const Turn& turn, int32_t shrink);
  // Makes the file of the last step's page.
  Outcome encode(Job& job);
  void prepare(const Step& step, const Turn& turn, int32_t width, int32_t height, int32_t shrink);
  // False: the job was cancelled meanwhile.
  bool draw(const Job& job, const Step& step, const Turn& turn, const Region& source, uint8_t* page);
  // False as `draw`.
  bool change(const Job& job, const Step& step, const Region& source, uint8_t* page);
  // Brings the source to pixels of `wanted` channels.
  bool scale(const Job& job, const Region& source, uint8_t* out, ptrdiff_t stride, int32_t wanted);

  JpegReader jpeg_;
#ifdef PATCHSTREAM_PNG
  PngReader png_;
#endif
#ifdef PATCHSTREAM_WEBP
  WebpReader webp_;
#endif
  // Made by the first picture that is to become a file.
  std::optional<JpegWriter> jpegWriter_;
#ifdef PATCHSTREAM_DEFLATE
  PngWriter pngWriter_;
#endif
  // Of the stored picture, whichever way it lies.
  Taps across_;
  Taps down_;
  Buffer decoded_;
  Buffer row_;
  Buffer turned_;
  std::vector<std::unique_ptr<Buffer>> pages_;
};

}  // namespace patchstream

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "encode/bytes.h"
#include "encode/encoding.h"
#include "pixels/taps.h"

namespace patchstream {

struct Box {
  int32_t left;
  int32_t top;
  int32_t width;
  int32_t height;

  bool within(int64_t wide, int64_t high) const {
    return left >= 0 && top >= 0 && width > 0 && height > 0 && left + int64_t{width} <= wide && top + int64_t{height} <= high;
  }
};

// What a step does: resize; look pixels up elsewhere; or an effect, as src/vision/effects/effect.ts numbers them.
enum class Work : int32_t {
  scale = 0,
  warp = 1,
  affine = 2,
  autoContrast = 3,
  equalize = 4,
  posterize = 5,
  solarize = 6,
  solarizeAdd = 7,
  brightness = 8,
  contrast = 9,
  saturation = 10,
  sharpness = 11,
  hue = 12,
  blur = 13,
  noise = 14,
  fill = 15,
};
constexpr int32_t works = 16;

// One rendering: cut `box` out of the source, resize it, cut `window` out of that, mirror it, and lay it on a page. A field of each is an int32, or a float, in
// the order in which JavaScript writes them. All of it is in upright pixels.
struct Step {
  // -1: the job's own bytes, else the step whose page is the source.
  int32_t source;
  // The place of the page among the job's outputs; -1: in the thread's memory.
  int32_t output;
  Box box;
  int32_t resizedWidth;
  int32_t resizedHeight;
  Kernel kernel;
  Box window;
  int32_t mirrored;
  int32_t pageWidth;
  int32_t pageHeight;
  // Where the window's corner comes to lie on the page, and the colour around it, 0xRRGGBB.
  int32_t padLeft;
  int32_t padTop;
  int32_t background;
  // Of the page: 3, or 1 for luma as JPEG has it, which is nobody's source.
  int32_t channels;
  // But for `scale`, the source is the whole page of another step, and the window fills its own; `background` is the colour that such work needs.
  Work work;
  union {
    // Of `warp` (warp.h) and `affine`.
    float matrix[6];
    // Of the other effects (effects.h).
    int32_t numbers[6];
  };

  size_t pageBytes() const { return static_cast<size_t>(pageWidth) * pageHeight * channels; }
};
constexpr size_t stepInts = 27;
static_assert(sizeof(Step) == stepInts * sizeof(int32_t), "a step is its ints");

// `file`, `frame`: nothing is rendered, but read.
enum class Kind : int32_t { jpeg = 0, grey = 1, rgb = 2, file = 3, frame = 4, png = 5, webp = 6 };

inline bool isRaw(Kind kind) { return kind == Kind::grey || kind == Kind::rgb; }
// Whether it is a format of files that this build decodes.
inline bool isDecoded(Kind kind) {
#ifdef PATCHSTREAM_PNG
  if (kind == Kind::png) return true;
#endif
#ifdef PATCHSTREAM_WEBP
  if (kind == Kind::webp) return true;
#endif
  return kind == Kind::jpeg;
}

// What came of a job, as JavaScript numbers it.
enum class Outcome : int32_t {
  done = 0,
  // The file is damaged; the job's message says how.
  broken = 1,
  // A picture that this renderer leaves to another.
  foreign = 2,
  cancelled = 3,
  memory = 4,
  // Of files: read, or to be read another way.
  read = 5,
  unread = 6,
  // Of a picture that was to become a file: its bytes are there; or it is written already, in so many microseconds as the size says.
  encoded = 7,
  written = 8,
};

// All renderings of one sample, done one after another by one thread.
struct Job {
  int32_t id = 0;
  Kind kind = Kind::jpeg;
  // As stored: of the file, or of the raw pixels.
  int32_t width = 0;
  int32_t height = 0;
  // EXIF's, 1-8.
  int32_t orientation = 1;
  // What a file that is transparent is laid on, 0xRRGGBB.
  int32_t background = 0;
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  std::vector<Step> steps;
  std::vector<uint8_t*> outputs;
  // The file that the page of the last step becomes, if one is wanted; a job that makes one has no outputs.
  Encoding encoding;
  Bytes encoded;
  // Of a file: where it lies, or is to lie, the bytes of its room (the one output), and of itself.
  std::string path;
  size_t outputLength = 0;
  size_t size = 0;
  // Of a frame in an open file: it fills its room.
  int32_t descriptor = -1;
  int64_t offset = 0;
  // About how long it takes, in bytes read and written.
  size_t weight = 0;

  Outcome outcome = Outcome::done;
  std::string message;

  // Nobody wants what comes of it any more: it was cancelled, or its threads are to end. Asked often, so that it ends soon.
  std::atomic<bool> unwanted{false};
  bool cancelled() const { return unwanted.load(std::memory_order_relaxed); }

  // Whether the outputs are being touched, by `Touch` alone.
  std::atomic<bool> touched{false};
};

// The law of the outputs: nobody writes or reads them but while a Touch of the job is there that is `granted`, and none is granted once the job is
// unwanted. Who takes the memory back says so first (`unwanted`) and then waits until the outputs are not touched; either he sees the touch, or
// the touch sees him. A touch lasts for one step at most, not for the decoding around it.
class Touch {
 public:
  explicit Touch(Job& job) : job_(job) {
    job_.touched = true;
    granted = !job_.unwanted;
  }
  Touch(const Touch&) = delete;
  Touch& operator=(const Touch&) = delete;
  ~Touch() { job_.touched = false; }

  bool granted;

 private:
  Job& job_;
};

}  // namespace patchstream

// Looks for faces in pictures of every size and kind, in memory that is exactly as large as it must be, and compares what is found with dlib itself.
//
//   faces PICTURES SEED FILE…      FILE: a photograph as PGM; prints how many pictures, faces and refusals; ends at the first difference or fault
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <dlib/image_processing/frontal_face_detector.h>

#include "detector/detector.h"
#include "drawn.h"

namespace {

using patchstream::Detector;
using patchstream::Face;
using patchstream::Grey;
using sanitize::Chance;
using sanitize::granted;

struct Photo {
  int32_t width = 0;
  int32_t height = 0;
  std::vector<uint8_t> pixels;
};

Photo readPgm(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::string kind;
  Photo photo;
  int most = 0;
  in >> kind >> photo.width >> photo.height >> most;
  in.get();
  photo.pixels.resize(static_cast<size_t>(photo.width) * photo.height);
  in.read(reinterpret_cast<char*>(photo.pixels.data()), static_cast<std::streamsize>(photo.pixels.size()));
  return photo;
}

int32_t sideOf(Chance& chance, int32_t most) {
  const int32_t edges[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 19, 20, 21, 23, 24, 63, 64, 65, 79, 80, 81, 95, 96, 97};
  if (chance.oneIn(3)) return std::min(most, edges[chance.below(std::size(edges))]);
  return 1 + static_cast<int32_t>(chance.below(static_cast<uint32_t>(std::min(most, 500))));
}

// A part of a photograph, noise, stripes, or one colour.
void fill(Chance& chance, const Photo& photo, int32_t width, int32_t height, uint8_t* pixels) {
  const auto left = static_cast<int32_t>(chance.below(static_cast<uint32_t>(photo.width - width + 1)));
  const auto top = static_cast<int32_t>(chance.below(static_cast<uint32_t>(photo.height - height + 1)));
  const uint32_t kind = chance.below(8);
  const uint32_t stripe = 1 + chance.below(9);
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      uint8_t& pixel = pixels[static_cast<size_t>(y) * width + x];
      if (kind == 0) pixel = static_cast<uint8_t>(chance.below(256));
      else if (kind == 1) pixel = (static_cast<uint32_t>(x + y) / stripe) % 2 == 0 ? 0 : 255;
      else if (kind == 2) pixel = 255;
      else pixel = photo.pixels[static_cast<size_t>(top + y) * photo.width + left + x];
    }
  }
}

[[noreturn]] void give(const char* what, int32_t width, int32_t height) {
  std::fprintf(stderr, "%d × %d: %s\n", width, height, what);
  std::abort();
}

void compare(dlib::frontal_face_detector& plain, const Grey& picture, double least, const std::vector<Face>& faces) {
  dlib::array2d<unsigned char> image(picture.height, picture.width);
  for (long y = 0; y < picture.height; y++) {
    for (long x = 0; x < picture.width; x++) image[y][x] = picture.pixels[y * picture.width + x];
  }
  std::vector<dlib::rect_detection> theirs;
  plain(image, theirs, least);
  if (theirs.size() != faces.size()) give("another number of faces than dlib", picture.width, picture.height);
  for (size_t i = 0; i < faces.size(); i++) {
    const dlib::rectangle& box = theirs[i].rect;
    const Face& face = faces[i];
    const bool same = box.left() == face.left && box.top() == face.top && static_cast<int64_t>(box.width()) == face.width &&
                      static_cast<int64_t>(box.height()) == face.height;
    if (!same) give("another box than dlib's", picture.width, picture.height);
    if (std::abs(theirs[i].detection_confidence - face.confidence) > 1e-4) give("another confidence than dlib's", picture.width, picture.height);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long pictures = std::atol(argv[1]);
  const uint64_t seed = std::strtoull(argv[2], nullptr, 10);
  std::vector<Photo> photos;
  for (int i = 3; i < argc; i++) photos.push_back(readPgm(argv[i]));
  dlib::frontal_face_detector plain = dlib::get_frontal_face_detector();
  Detector detector;
  std::vector<Face> faces;
  long found = 0;
  long refused = 0;
  // What all detectors share is made once, and not while memory is short.
  const uint8_t nothing = 0;
  detector.detect({&nothing, 1, 1}, 0, 0, faces);
  for (long i = 0; i < pictures; i++) {
    Chance chance(seed * 1000003 + static_cast<uint64_t>(i));
    const Photo& photo = photos[chance.below(static_cast<uint32_t>(photos.size()))];
    const int32_t width = sideOf(chance, photo.width);
    const int32_t height = sideOf(chance, photo.height);
    std::unique_ptr<uint8_t[]> pixels(new uint8_t[static_cast<size_t>(width) * height]);
    fill(chance, photo, width, height, pixels.get());
    const Grey picture{pixels.get(), width, height};
    const double least = chance.oneIn(3) ? -0.8 : 0;
    const auto steps = static_cast<int32_t>(chance.oneIn(3) ? chance.below(64) : 0);
    if (chance.oneIn(8)) {
      // One without a past has all its memory to ask for.
      Detector fresh;
      Detector& tight = chance.oneIn(2) ? fresh : detector;
      granted = chance.below(40);
      try {
        tight.detect(picture, steps, least, faces);
      } catch (const std::bad_alloc&) {
        refused++;
      }
      granted = -1;
      if (&tight == &fresh) fresh.detect(picture, steps, least, faces);
    }
    // Also what was left half made must not be seen by the next.
    detector.detect(picture, steps, least, faces);
    found += static_cast<long>(faces.size());
    if (steps == 0) compare(plain, picture, least, faces);
  }
  // A long one and a wide one, and one whose memory is given back.
  for (const auto& [width, height] : {std::pair{65535, 100}, {100, 65535}, {65535, 1}, {4000, 3000}}) {
    std::unique_ptr<uint8_t[]> pixels(new uint8_t[static_cast<size_t>(width) * height]);
    std::memset(pixels.get(), 99, static_cast<size_t>(width) * height);
    detector.detect({pixels.get(), width, height}, 0, 0, faces);
    if (!faces.empty()) give("a face in one colour", width, height);
  }
  std::printf("%ld pictures, %ld faces, %ld without memory\n", pictures + 4, found, refused);
}

// Reads models of landmarks that dlib has written, and mutations of them, and finds landmarks in pictures that lie in memory which is exactly as large as it must
// be. What a sound model finds must be what dlib finds with it.
//
//   landmarks MODELS SEED FOLDER [MODEL FILE…]      FILE: a photograph as PGM, MODEL: a true one; prints how many; ends at the first fault
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include <dlib/image_processing/shape_predictor.h>

#include "drawn.h"
#include "landmarks.h"

namespace {

using patchstream::Face;
using patchstream::Grey;
using patchstream::Landmarks;
using patchstream::ModelError;

using sanitize::Chance;
using sanitize::granted;

float within(Chance& chance, float from, float to) { return from + (to - from) * static_cast<float>(chance.below(1 << 20)) / (1 << 20); }

constexpr size_t numbers = 2 * Landmarks::count;

dlib::shape_predictor modelBy(Chance& chance) {
  dlib::matrix<float, 0, 1> initial(numbers);
  for (long i = 0; i < initial.size(); i++) initial(i) = within(chance, 0, 1);
  std::vector<std::vector<dlib::impl::regression_tree>> forests(chance.below(4));
  std::vector<std::vector<dlib::vector<float, 2>>> places(forests.size());
  for (size_t round = 0; round < forests.size(); round++) {
    const uint32_t features = 1 + chance.below(9);
    for (uint32_t i = 0; i < features; i++) places[round].emplace_back(within(chance, -0.2F, 1.2F), within(chance, -0.2F, 1.2F));
    const uint32_t leaves = 1U << chance.below(4);
    forests[round].resize(chance.below(5));
    for (dlib::impl::regression_tree& tree : forests[round]) {
      for (uint32_t i = 1; i < leaves; i++) tree.splits.push_back({chance.below(features), chance.below(features), within(chance, -100, 100)});
      tree.leaf_values.resize(leaves);
      for (auto& leaf : tree.leaf_values) {
        leaf.set_size(numbers);
        for (long i = 0; i < leaf.size(); i++) leaf(i) = within(chance, -0.05F, 0.05F);
      }
    }
  }
  return {initial, forests, places};
}

struct Photo {
  int32_t width = 0;
  int32_t height = 0;
  std::unique_ptr<uint8_t[]> pixels;
  Grey grey() const { return {pixels.get(), width, height}; }
};

Photo photoBy(Chance& chance) {
  Photo photo;
  photo.width = 1 + static_cast<int32_t>(chance.below(120));
  photo.height = 1 + static_cast<int32_t>(chance.below(120));
  const size_t count = static_cast<size_t>(photo.width) * photo.height;
  photo.pixels.reset(new uint8_t[count]);
  for (size_t i = 0; i < count; i++) photo.pixels[i] = static_cast<uint8_t>(chance.below(256));
  return photo;
}

Photo readPgm(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::string kind;
  Photo photo;
  int most = 0;
  in >> kind >> photo.width >> photo.height >> most;
  in.get();
  const size_t count = static_cast<size_t>(photo.width) * photo.height;
  photo.pixels.reset(new uint8_t[count]);
  in.read(reinterpret_cast<char*>(photo.pixels.get()), static_cast<std::streamsize>(count));
  return photo;
}

// In the picture or at its border; or so far from it that dlib's own numbers are no longer exact.
Face faceBy(Chance& chance, const Photo& photo, int64_t far = 0) {
  const int64_t side = 2 + chance.below(static_cast<uint32_t>(2 * std::min(photo.width, photo.height)));
  return {static_cast<int64_t>(chance.below(photo.width)) - side / 3 - far, static_cast<int64_t>(chance.below(photo.height)) - side / 3 + far, side, side, 1};
}

void save(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string mutation(Chance& chance, std::string bytes) {
  if (chance.below(4) == 0) bytes.resize(chance.below(static_cast<uint32_t>(bytes.size()) + 1));
  if (chance.below(8) == 0) bytes.insert(chance.below(static_cast<uint32_t>(bytes.size()) + 1), 1 + chance.below(9), static_cast<char>(chance.below(256)));
  if (bytes.empty()) return bytes;
  for (uint32_t i = chance.below(6); i > 0; i--) {
    // Near the beginning are the counts.
    const auto size = static_cast<uint32_t>(bytes.size());
    const uint32_t at = chance.below(2) == 0 ? chance.below(size) : chance.below(std::min<uint32_t>(size, 1200));
    bytes[at] = static_cast<char>(chance.below(256));
  }
  return bytes;
}

// True where all of dlib's numbers, which are rounded, are ours.
bool isDlibs(const dlib::shape_predictor& theirs, const Landmarks& ours, const Photo& photo, const Face& face) {
  dlib::array2d<unsigned char> image(photo.height, photo.width);
  std::copy_n(photo.pixels.get(), static_cast<size_t>(photo.width) * photo.height, &image[0][0]);
  const dlib::rectangle box(face.left, face.top, face.left + face.width - 1, face.top + face.height - 1);
  const dlib::full_object_detection found = theirs(image, box);
  const Landmarks::Points points = ours.find(photo.grey(), face);
  for (size_t i = 0; i < Landmarks::count; i++) {
    const double x = std::abs(points[2 * i] - static_cast<double>(found.part(i).x()));
    const double y = std::abs(points[2 * i + 1] - static_cast<double>(found.part(i).y()));
    if (!(std::max(x, y) <= 0.5 + 1e-4)) return false;
  }
  return true;
}

[[noreturn]] void give(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const long models = std::atol(argv[1]);
  const uint64_t seed = std::strtoull(argv[2], nullptr, 10);
  const std::string path = std::string(argv[3]) + "/model.dat";
  long others = 0;
  long refused = 0;
  long without = 0;
  for (long i = 0; i < models; i++) {
    Chance chance(seed * 1000003 + static_cast<uint64_t>(i));
    const dlib::shape_predictor theirs = modelBy(chance);
    std::ostringstream out;
    dlib::serialize(theirs, out);
    save(path, out.str());
    const Photo photo = photoBy(chance);
    if (chance.below(8) == 0) {
      granted = chance.below(30);
      try {
        const Landmarks tight(path);
        tight.find(photo.grey(), faceBy(chance, photo));
      } catch (const std::bad_alloc&) {
        without++;
      }
      granted = -1;
    }
    const Landmarks ours(path);
    // A place between two pixels may fall to the other: then other features are compared.
    if (!isDlibs(theirs, ours, photo, faceBy(chance, photo))) others++;
    save(path, mutation(chance, out.str()));
    try {
      const Landmarks mutated(path);
      for (int k = 0; k < 3; k++) mutated.find(photo.grey(), faceBy(chance, photo, chance.below(4) == 0 ? int64_t{1} << 31 : 0));
    } catch (const ModelError&) {
      refused++;
    }
  }
  if (others * 100 > models) give("other landmarks than dlib's");
  if (argc > 4) {
    dlib::shape_predictor theirs;
    dlib::deserialize(argv[4]) >> theirs;
    const std::shared_ptr<const Landmarks> ours = Landmarks::at(argv[4]);
    for (int i = 5; i < argc; i++) {
      const Photo photo = readPgm(argv[i]);
      Chance chance(seed + static_cast<uint64_t>(i));
      for (int k = 0; k < 3; k++) {
        if (!isDlibs(theirs, *ours, photo, faceBy(chance, photo))) give("other landmarks than dlib's, by the true model");
      }
    }
  }
  std::printf("%ld models, %ld mutations refused, %ld without memory, %ld between two pixels\n", models, refused, without, others);
}

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "detector/grey.h"

namespace patchstream {

// A face in pixels of the picture that was scanned. It may begin or end outside of it.
struct Face {
  int64_t left;
  int64_t top;
  int64_t width;
  int64_t height;
  // How far above the detector's threshold: above 0 unless a lower one was asked for.
  double confidence;
};

// dlib's detector of frontal faces, for one thread. The only file that includes dlib is detector.cc.
class Detector {
 public:
  Detector();
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;
  ~Detector();

  // The faces, the surest first; those whose confidence is below `least` are left out. The first `steps` levels of dlib's pyramid are made and not
  // looked at: the boxes are those that dlib finds on the others, in pixels of the picture. Throws std::bad_alloc.
  void detect(const Grey& picture, int32_t steps, double least, std::vector<Face>& faces);

  // dlib's own, `19.24`.
  static const char* version();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace patchstream

#include "detector.h"

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/revision.h>

#define TEXT_OF(number) #number
#define VERSION_OF(major, minor) TEXT_OF(major) "." TEXT_OF(minor)

namespace patchstream {

namespace {

// Memory of the pixels of a picture beyond this is given back after it: one giant must not stay in memory for the rest of the run. The features of
// a pyramid take about ten bytes a pixel.
constexpr int64_t keptPixels = int64_t{1} << 23;

// A Grey as dlib reads images.
struct View {
  const Grey* grey;
};

inline long num_rows(const View& view) { return view.grey->height; }
inline long num_columns(const View& view) { return view.grey->width; }
inline long width_step(const View& view) { return view.grey->width; }
inline const void* image_data(const View& view) { return view.grey->pixels; }

}  // namespace

}  // namespace patchstream

namespace dlib {

template <>
struct image_traits<patchstream::View> {
  typedef unsigned char pixel_type;
};
template <>
struct image_traits<const patchstream::View> {
  typedef unsigned char pixel_type;
};

}  // namespace dlib

namespace patchstream {

namespace {

// Its filters are worked out when it is read from its text, which takes longer than to copy them: once a process.
const dlib::frontal_face_detector& original() {
  static const dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
  return detector;
}

}  // namespace

struct Detector::State {
  dlib::frontal_face_detector detector = original();
  std::vector<dlib::rect_detection> found;
};

Detector::Detector() : state_(std::make_unique<State>()) {}

Detector::~Detector() = default;

void Detector::detect(const Grey& picture, double least, std::vector<Face>& faces) {
  faces.clear();
  const View view{&picture};
  state_->detector(view, state_->found, least);
  for (const dlib::rect_detection& one : state_->found) {
    const dlib::rectangle& box = one.rect;
    faces.push_back({box.left(), box.top(), static_cast<int64_t>(box.width()), static_cast<int64_t>(box.height()), one.detection_confidence});
  }
  if (int64_t{picture.width} * picture.height > keptPixels) state_ = std::make_unique<State>();
}

const char* Detector::version() { return VERSION_OF(DLIB_MAJOR_VERSION, DLIB_MINOR_VERSION); }

}  // namespace patchstream

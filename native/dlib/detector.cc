#include "detector.h"

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/revision.h>

#include <algorithm>
#include <cmath>

#define TEXT_OF(number) #number
#define VERSION_OF(major, minor) TEXT_OF(major) "." TEXT_OF(minor)

namespace patchstream {

namespace {

// Memory of the pixels of a picture beyond this is given back after it: one giant must not stay in memory for the rest of the run. The features of
// a pyramid take about ten bytes a pixel.
constexpr int64_t keptPixels = int64_t{1} << 23;

// The pyramid of the detector.
using Pyramid = dlib::pyramid_down<6>;

// A picture with a shorter side has no place for dlib's window of 80 pixels, however much of it juts out.
constexpr long smallest = 16;

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
  dlib::array2d<unsigned char> level;
  dlib::array2d<unsigned char> next;

  // False when there is nothing left to look at.
  bool shrink(const View& view, int32_t steps);
  dlib::rectangle inPicture(const dlib::rectangle& box, int32_t steps) const;
};

bool Detector::State::shrink(const View& view, int32_t steps) {
  const Pyramid pyramid;
  for (int32_t i = 0; i < steps; i++) {
    const long shorter = i == 0 ? std::min(view.grey->width, view.grey->height) : std::min(level.nr(), level.nc());
    if (shorter < smallest) return false;
    if (i == 0) pyramid(view, next);
    else pyramid(level, next);
    level.swap(next);
  }
  return true;
}

// A box as dlib gives it for the whole picture: it moves a box up from its level in one go and rounds once. So the box is first put back on its level,
// where it is of whole pixels and always of the same size.
dlib::rectangle Detector::State::inPicture(const dlib::rectangle& box, int32_t steps) const {
  if (steps == 0) return box;
  const Pyramid pyramid;
  const auto& scanner = detector.get_scanner();
  const unsigned long padding = scanner.get_padding();
  const unsigned long wide = scanner.get_fhog_window_width();
  const unsigned long high = scanner.get_fhog_window_height();
  const dlib::rectangle window = dlib::default_fhog_feature_extractor().feats_to_image(
      dlib::centered_rect(dlib::point(wide, high), wide - 2 * padding, high - 2 * padding), scanner.get_cell_size(), high, wide);
  // From the middle of the first pixel to that of the last, which is what is moved.
  const double larger = static_cast<double>(box.width() - 1) / static_cast<double>(window.width() - 1);
  const auto level = static_cast<unsigned>(std::max(0L, std::lround(-std::log(larger) / std::log(dlib::pyramid_rate(pyramid)))));
  const dlib::rectangle onLevel = pyramid.rect_down(dlib::drectangle(box), level);
  return pyramid.rect_up(dlib::drectangle(onLevel), level + static_cast<unsigned>(steps));
}

Detector::Detector() : state_(std::make_unique<State>()) {}

Detector::~Detector() = default;

void Detector::detect(const Grey& picture, int32_t steps, double least, std::vector<Face>& faces) {
  faces.clear();
  const View view{&picture};
  if (!state_->shrink(view, steps)) return;
  if (steps == 0) state_->detector(view, state_->found, least);
  else state_->detector(state_->level, state_->found, least);
  for (const dlib::rect_detection& one : state_->found) {
    const dlib::rectangle box = state_->inPicture(one.rect, steps);
    faces.push_back({box.left(), box.top(), static_cast<int64_t>(box.width()), static_cast<int64_t>(box.height()), one.detection_confidence});
  }
  if (int64_t{picture.width} * picture.height > keptPixels) state_ = std::make_unique<State>();
}

const char* Detector::version() { return VERSION_OF(DLIB_MAJOR_VERSION, DLIB_MINOR_VERSION); }

}  // namespace patchstream

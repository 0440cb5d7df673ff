#include "detector/detector.h"

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/revision.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "detector/filters.h"
#include "detector/gradients.h"
#include "detector/pyramid.h"

#define TEXT_OF(number) #number
#define VERSION_OF(major, minor) TEXT_OF(major) "." TEXT_OF(minor)

namespace patchstream {

namespace {

// Memory of the pixels of a picture beyond this is given back after it: one giant must not stay in memory for the rest of the run. The features of
// a pyramid take about ten bytes a pixel.
constexpr int64_t keptPixels = int64_t{1} << 23;

// The pyramid of the detector.
using Pyramid = dlib::pyramid_down<6>;

// dlib's detector and its filters in our form. Reading it from its text takes longer than a picture: once a process.
struct Known {
  const dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
  // Of five faces: ahead, left, right, tilted left, tilted right.
  std::vector<FilterBank> banks;
  std::vector<double> thresholds;

  Known() {
    const auto& scanner = detector.get_scanner();
    const bool same = scanner.get_fhog_window_width() == FilterBank::side && scanner.get_fhog_window_height() == FilterBank::side &&
                      scanner.get_padding() == 0 && scanner.get_cell_size() == Gradients::cell;
    if (!same) throw std::runtime_error("this dlib's detector has another window than 10 × 10 cells of 8 × 8 pixels");
    for (unsigned long i = 0; i < detector.num_detectors(); i++) {
      const auto filters = scanner.build_fhog_filterbank(detector.get_w(i));
      FilterBank& bank = banks.emplace_back();
      for (size_t plane = 0; plane < filters.row_filters.size(); plane++) {
        for (size_t j = 0; j < filters.row_filters[plane].size(); j++) {
          bank.add(plane, taps(filters.row_filters[plane][j]), taps(filters.col_filters[plane][j]));
        }
      }
      thresholds.push_back(detector.get_w(i)(scanner.get_num_dimensions()));
    }
  }

  // How many levels dlib's pyramid of a picture has.
  unsigned long levelsOf(const Grey& picture) const {
    const auto& scanner = detector.get_scanner();
    const Pyramid pyramid;
    unsigned long levels = 0;
    dlib::rectangle size(picture.width, picture.height);
    do {
      size = pyramid.rect_down(size);
      levels++;
    } while (size.width() >= scanner.get_min_pyramid_layer_width() && size.height() >= scanner.get_min_pyramid_layer_height());
    return levels;
  }

  // The box of a window of features on a level, in the picture.
  dlib::rectangle boxOf(long column, long row, unsigned long level) const {
    const auto& scanner = detector.get_scanner();
    constexpr long side = FilterBank::side;
    const dlib::rectangle window = dlib::centered_rect(dlib::point(column + side / 2, row + side / 2), side, side);
    return Pyramid().rect_up(scanner.get_feature_extractor().feats_to_image(window, Gradients::cell, side, side), level);
  }

 private:
  static FilterBank::Taps taps(const dlib::matrix<float, 0, 1>& filter) {
    FilterBank::Taps taps;
    std::copy(filter.begin(), filter.end(), taps.begin());
    return taps;
  }
};

// Never destroyed: threads may still be at work when the process ends.
const Known& known() {
  static const Known& known = *new Known;
  return known;
}

}  // namespace

struct Detector::State {
  // A level of the pyramid, and the next.
  std::vector<uint8_t> level;
  std::vector<uint8_t> next;
  Shrinker shrinker;
  Gradients gradients;
  FilterBank::Scratch scratch;
  std::vector<float> scores;
  // What each of the banks has found: the score and the box in the picture.
  std::vector<std::vector<std::pair<double, dlib::rectangle>>> found;

  void scan(const Grey& picture, unsigned long level, double least);
  std::vector<dlib::rect_detection> best();
};

// Adds what is found on a level.
void Detector::State::scan(const Grey& picture, unsigned long level, double least) {
  const Known& dlibs = known();
  const Planes features = gradients.of(picture);
  const long across = features.columns - FilterBank::side + 1;
  for (size_t i = 0; i < dlibs.banks.size(); i++) {
    const double threshold = dlibs.thresholds[i] + least;
    dlibs.banks[i].apply(features, scratch, scores);
    for (size_t at = 0; at < scores.size(); at++) {
      if (scores[at] >= threshold) found[i].emplace_back(scores[at], dlibs.boxOf(static_cast<long>(at) % across, static_cast<long>(at) / across, level));
    }
  }
}

// Of the boxes that overlap the surest, in dlib's order.
std::vector<dlib::rect_detection> Detector::State::best() {
  const Known& dlibs = known();
  std::vector<dlib::rect_detection> all;
  for (size_t i = 0; i < found.size(); i++) {
    std::sort(found[i].rbegin(), found[i].rend(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [score, box] : found[i]) all.push_back({score - dlibs.thresholds[i], i, box});
  }
  std::sort(all.rbegin(), all.rend());
  std::vector<dlib::rect_detection> best;
  for (const dlib::rect_detection& one : all) {
    const bool covered =
        std::any_of(best.begin(), best.end(), [&](const dlib::rect_detection& other) { return dlibs.detector.get_overlap_tester()(other.rect, one.rect); });
    if (!covered) best.push_back(one);
  }
  return best;
}

Detector::Detector() : state_(std::make_unique<State>()) {}

Detector::~Detector() = default;

void Detector::detect(const Grey& picture, int32_t steps, double least, std::vector<Face>& faces) {
  faces.clear();
  State& state = *state_;
  state.found.assign(known().banks.size(), {});
  const unsigned long levels = known().levelsOf(picture);
  const auto first = static_cast<unsigned long>(steps);
  if (first >= levels) return;
  Grey level = picture;
  for (unsigned long i = 0; i < levels; i++) {
    if (i > 0) {
      level = state.shrinker.shrink(level, state.next);
      state.level.swap(state.next);
    }
    if (i >= first) state.scan(level, i, least);
  }
  for (const dlib::rect_detection& one : state.best()) {
    const dlib::rectangle& box = one.rect;
    faces.push_back({box.left(), box.top(), static_cast<int64_t>(box.width()), static_cast<int64_t>(box.height()), one.detection_confidence});
  }
  if (int64_t{picture.width} * picture.height > keptPixels) state_ = std::make_unique<State>();
}

const char* Detector::version() { return VERSION_OF(DLIB_MAJOR_VERSION, DLIB_MINOR_VERSION); }

}  // namespace patchstream

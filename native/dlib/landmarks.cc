#include "landmarks.h"

#include <dlib/image_processing/shape_predictor.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace patchstream {

namespace {

constexpr size_t numbers = 2 * Landmarks::count;

// A face is 1 wide and high. Whatever a file says, sums of its numbers stay finite, and what goes beyond is no face.
constexpr float farthest = 1000;

// Of a difference of brightness.
constexpr float mostThreshold = 1e6F;

// The least bytes of what is counted: an integer takes two, a float four, a tree the counts of its parts.
constexpr size_t integerBytes = 2;
constexpr size_t splitBytes = 8;
constexpr size_t treeBytes = 4;
constexpr size_t pointBytes = 8;

// Of which even an empty one takes memory. Models have 10 or 15.
constexpr size_t mostRounds = 1000;

using Shape = dlib::matrix<float, 0, 1>;

}  // namespace

Landmarks::Landmarks(const std::string& path) {
  ModelFile file(path);
  if (file.integer() != 1) throw ModelError("is no model of dlib's, of version 1");
  if (file.column() != numbers) throw ModelError("has not 68 landmarks");
  for (size_t i = 0; i < numbers; i++) initial_.push_back(file.number(farthest));
  const size_t rounds = file.count(integerBytes);
  if (rounds > mostRounds) throw ModelError("has more than 1000 rounds");
  rounds_.resize(rounds);
  for (Round& round : rounds_) readTrees(file, round);
  if (file.count(integerBytes) != rounds_.size()) throw ModelError("has not the features of every round");
  for (Round& round : rounds_) {
    round.features.resize(file.count(integerBytes));
    for (Feature& feature : round.features) {
      const int64_t landmark = file.integer();
      if (landmark < 0 || landmark >= static_cast<int64_t>(count)) throw ModelError("has a feature beside no landmark");
      feature.landmark = static_cast<uint32_t>(landmark);
    }
    const auto inside = [&](const Split& split) { return split.first < round.features.size() && split.second < round.features.size(); };
    if (!std::all_of(round.splits.begin(), round.splits.end(), inside)) throw ModelError("compares a feature that it has not");
  }
  if (file.count(integerBytes) != rounds_.size()) throw ModelError("has not the features of every round");
  for (Round& round : rounds_) {
    if (file.count(pointBytes) != round.features.size()) throw ModelError("has not the place of every feature");
    for (Feature& feature : round.features) {
      feature.x = file.number(farthest);
      feature.y = file.number(farthest);
    }
  }
  file.end();
}

void Landmarks::readTrees(ModelFile& file, Round& round) const {
  round.trees = file.count(treeBytes);
  for (size_t tree = 0; tree < round.trees; tree++) {
    const size_t splits = file.count(splitBytes);
    if (tree == 0) round.splitsEach = splits;
    // Every leaf lies as deep as every other.
    if (splits != round.splitsEach || ((splits + 1) & splits) != 0) throw ModelError("has a tree with branches of several lengths");
    for (size_t i = 0; i < splits; i++) {
      const int64_t first = file.integer();
      const int64_t second = file.integer();
      if (first < 0 || second < 0 || first > UINT32_MAX || second > UINT32_MAX) throw ModelError("compares a feature that it has not");
      round.splits.push_back({static_cast<uint32_t>(first), static_cast<uint32_t>(second), file.number(mostThreshold)});
    }
    if (file.count(integerBytes) != splits + 1) throw ModelError("has a tree with a branch without a leaf");
    for (size_t i = 0; i <= splits; i++) {
      if (file.column() != numbers) throw ModelError("has a leaf that moves another number of landmarks");
      for (size_t k = 0; k < numbers; k++) round.leaves.push_back(file.number(farthest));
    }
  }
  round.splits.shrink_to_fit();
  round.leaves.shrink_to_fit();
}

Landmarks::Points Landmarks::find(const Grey& picture, const Face& face) const {
  // Where dlib rounds and in which order it sums decides which pixels are compared: so these steps are its own.
  const dlib::rectangle box(face.left, face.top, face.left + face.width - 1, face.top + face.height - 1);
  const dlib::point_transform_affine toPicture = dlib::impl::unnormalizing_tform(box);
  const Shape initial = dlib::mat(initial_.data(), numbers);
  Shape shape = initial;
  std::vector<float> brightness;
  for (const Round& round : rounds_) {
    const dlib::matrix<float, 2, 2> turn = dlib::matrix_cast<float>(dlib::impl::find_tform_between_shapes(initial, shape).get_m());
    brightness.clear();
    for (const Feature& feature : round.features) {
      const dlib::vector<float, 2> delta(feature.x, feature.y);
      const dlib::vector<float, 2> place = turn * delta + dlib::impl::location(shape, feature.landmark);
      const dlib::dpoint exact = toPicture(place);
      const double x = std::floor(exact.x() + 0.5);
      const double y = std::floor(exact.y() + 0.5);
      const bool inside = x >= 0 && y >= 0 && x < picture.width && y < picture.height;
      brightness.push_back(inside ? picture.pixels[static_cast<size_t>(y) * picture.width + static_cast<size_t>(x)] : 0.0F);
    }
    const size_t leaves = round.splitsEach + 1;
    for (size_t tree = 0; tree < round.trees; tree++) {
      const Split* splits = round.splits.data() + tree * round.splitsEach;
      size_t at = 0;
      while (at < round.splitsEach) {
        const Split& split = splits[at];
        at = 2 * at + (brightness[split.first] - brightness[split.second] > split.threshold ? 1 : 2);
      }
      const float* leaf = round.leaves.data() + (tree * leaves + at - round.splitsEach) * numbers;
      for (size_t k = 0; k < numbers; k++) shape(k) += leaf[k];
    }
    const bool bounded = std::all_of(shape.begin(), shape.end(), [](float value) { return std::abs(value) <= farthest; });
    if (!bounded) throw ModelError("moves landmarks out of all bounds");
  }
  Points points;
  for (size_t i = 0; i < count; i++) {
    const dlib::dpoint point = toPicture(dlib::impl::location(shape, i));
    points[2 * i] = point.x();
    points[2 * i + 1] = point.y();
  }
  return points;
}

std::shared_ptr<const Landmarks> Landmarks::at(const std::string& path) {
  struct Kept {
    std::mutex mutex;
    std::string path;
    std::shared_ptr<const Landmarks> landmarks;
  };
  // Never destroyed: threads may still be at work when the process ends.
  static Kept& kept = *new Kept();
  const std::lock_guard<std::mutex> lock(kept.mutex);
  if (kept.landmarks == nullptr || kept.path != path) {
    kept.landmarks = nullptr;
    kept.landmarks = std::make_shared<const Landmarks>(path);
    kept.path = path;
  }
  return kept.landmarks;
}

}  // namespace patchstream

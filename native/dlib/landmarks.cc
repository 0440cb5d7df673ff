#include "landmarks.h"

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

using Shape = std::vector<float>;

double xOf(const Shape& shape, size_t landmark) { return shape[2 * landmark]; }
double yOf(const Shape& shape, size_t landmark) { return shape[2 * landmark + 1]; }

// A turn and a scale: (x, y) becomes (across · x - down · y, down · x + across · y).
struct Similarity {
  float across;
  float down;
};

// That which brings a shape nearest to another, both around their middles (Umeyama, 1991, in the plane).
Similarity between(const Shape& from, const Shape& to) {
  double fromX = 0;
  double fromY = 0;
  double toX = 0;
  double toY = 0;
  for (size_t i = 0; i < Landmarks::count; i++) {
    fromX += xOf(from, i) / Landmarks::count;
    fromY += yOf(from, i) / Landmarks::count;
    toX += xOf(to, i) / Landmarks::count;
    toY += yOf(to, i) / Landmarks::count;
  }
  double along = 0;
  double beside = 0;
  double square = 0;
  for (size_t i = 0; i < Landmarks::count; i++) {
    const double x = xOf(from, i) - fromX;
    const double y = yOf(from, i) - fromY;
    along += x * (xOf(to, i) - toX) + y * (yOf(to, i) - toY);
    beside += x * (yOf(to, i) - toY) - y * (xOf(to, i) - toX);
    square += x * x + y * y;
  }
  // All in one place: nothing to be turned.
  if (square == 0) return {1, 0};
  return {static_cast<float>(along / square), static_cast<float>(beside / square)};
}

// The nearest pixel, a half to the greater one.
double rounded(double at) { return std::floor(at + 0.5); }

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
    // The place of each follows behind them all.
    round.features.resize(file.count(integerBytes + pointBytes));
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
  // From the face's box, whose last pixel is at 1, to the picture.
  const auto across = [&](double x) { return static_cast<double>(face.left) + x * static_cast<double>(face.width - 1); };
  const auto down = [&](double y) { return static_cast<double>(face.top) + y * static_cast<double>(face.height - 1); };
  Shape shape = initial_;
  std::vector<float> brightness;
  for (const Round& round : rounds_) {
    const Similarity turn = between(initial_, shape);
    brightness.clear();
    // In floats, and in this order, as dlib: it decides which pixels are compared.
    for (const Feature& feature : round.features) {
      const float x = turn.across * feature.x - turn.down * feature.y + shape[2 * feature.landmark];
      const float y = turn.down * feature.x + turn.across * feature.y + shape[2 * feature.landmark + 1];
      const double column = rounded(across(x));
      const double row = rounded(down(y));
      const bool inside = column >= 0 && row >= 0 && column < picture.width && row < picture.height;
      brightness.push_back(inside ? picture.pixels[static_cast<size_t>(row) * picture.width + static_cast<size_t>(column)] : 0.0F);
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
      for (size_t k = 0; k < numbers; k++) shape[k] += leaf[k];
    }
    const bool bounded = std::all_of(shape.begin(), shape.end(), [](float value) { return std::abs(value) <= farthest; });
    if (!bounded) throw ModelError("moves landmarks out of all bounds");
  }
  Points points;
  for (size_t i = 0; i < count; i++) {
    points[2 * i] = across(xOf(shape, i));
    points[2 * i + 1] = down(yOf(shape, i));
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

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "detector/detector.h"
#include "detector/grey.h"
#include "model_file.h"

namespace patchstream {

// Finds the landmarks of a face by an ensemble of regression trees (Kazemi and Sullivan, 2014), as dlib's shape predictor does, from a model in dlib's format.
// It is read into memory that does not change afterwards: all threads use one.
class Landmarks {
 public:
  static constexpr size_t count = 68;
  // x and y of each, in the order of the model (iBUG's), in pixels of the picture, whose pixel 0 has its middle at 0.
  using Points = std::array<double, 2 * count>;

  // Throws ModelError for what is no model of 68 landmarks, std::bad_alloc.
  explicit Landmarks(const std::string& path);

  // The model of a file: read once a process, while others wait, and kept until another is asked for.
  static std::shared_ptr<const Landmarks> at(const std::string& path);

  // May lie outside of the picture. Throws ModelError where the model moves a landmark out of all bounds, std::bad_alloc.
  Points find(const Grey& picture, const Face& face) const;

 private:
  // A pixel whose brightness is compared, beside a landmark.
  struct Feature {
    uint32_t landmark;
    float x;
    float y;
  };
  // Of a tree: goes to the first branch where the first feature is brighter than the second by more than the threshold.
  struct Split {
    uint32_t first;
    uint32_t second;
    float threshold;
  };
  // A round: its trees, each as many splits and leaves, which lie one after another.
  struct Round {
    std::vector<Feature> features;
    std::vector<Split> splits;
    // [trees, leaves, 2 · count].
    std::vector<float> leaves;
    size_t trees = 0;
    size_t splitsEach = 0;
  };

  void readTrees(ModelFile& file, Round& round) const;

  // In the face's box, whose corners are (0, 0) and (1, 1).
  std::vector<float> initial_;
  std::vector<Round> rounds_;
};

}  // namespace patchstream

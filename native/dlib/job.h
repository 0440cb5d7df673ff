#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "detector/detector.h"
#include "landmarks.h"

namespace patchstream {

// What came of a job, as JavaScript numbers it.
enum class Outcome : int32_t { done = 0, cancelled = 1, memory = 2, failed = 3, model = 4 };

// The faces of one picture, looked for by one thread.
struct Job {
  int32_t id = 0;
  Grey picture{};
  int32_t steps = 0;
  double least = 0;
  // The file of the model of landmarks; empty where none are wanted.
  std::string model;

  Outcome outcome = Outcome::done;
  std::vector<Face> faces;
  // Of each face, where they are wanted.
  std::vector<Landmarks::Points> landmarks;
  // dlib's own words where it failed, or what is wrong with the model.
  std::string message;

  // Nobody wants what comes of it any more. Heard before it begins: dlib's scan is not interrupted.
  std::atomic<bool> unwanted{false};
};

}  // namespace patchstream

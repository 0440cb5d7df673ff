// What belongs to one JavaScript thread, and how its calls are taken.
#pragma once

#include <memory>
#include <vector>

#include "arguments.h"
#include "job.h"
#include "likeness/code_index.h"
#include "likeness/codes.h"
#include "pool.h"
#include "reading/readers.h"
#include "render.h"

namespace patchstream {

// All that one JavaScript thread has of the renderer.
struct Environment {
  std::unique_ptr<Pool> pool;
  std::unique_ptr<Readers> readers;
  // Used again by every call.
  std::vector<Job*> jobs;
  std::vector<size_t> lengths;
  // Of the JavaScript thread, for records.
  Renderer renderer;
  Job records;
  // For near-duplicates.
  Parts parts;
  std::vector<uint64_t> codes;
  std::vector<Found> found;
};

struct Rendering {
  using State = Environment;
  static constexpr size_t arguments = 5;
  static constexpr const char* code = "RENDER";
  static Thrown thrown() noexcept { return whatWasThrown(); }
};

using Arguments = ArgumentsOf<Rendering>;

}  // namespace patchstream

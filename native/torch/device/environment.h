#pragma once

#include <node_api.h>

#include <memory>
#include <vector>

#include "device/device.h"
#include "ops/ops.h"
#include "device/readback.h"
#include "table.h"

namespace patchstream {

// Hears of everything that an environment does to its tensors, in order: for recording.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void ran(int32_t opcode, const std::vector<Handle>& inputs, const double* numbers, int count,
                   const std::vector<Handle>& outputs) = 0;
  virtual void uploaded(Handle handle, const at::Tensor& tensor) = 0;
  virtual void downloaded(Handle handle) = 0;
  // Before the tensor goes.
  virtual void freed(Handle handle) = 0;
};

class Programs;

// All that one JavaScript thread has of libtorch. Made when the addon is loaded into the thread, torn down with it.
struct Environment {
  Table table;
  at::Device device{at::kCPU};
  // Nobody, most of the time.
  Observer* observer = nullptr;
  std::unique_ptr<Readback> readback;
  std::shared_ptr<Programs> programs;
  Marks marks;
  // Time spent in here and not in JavaScript.
  double milliseconds = 0;

  // The memory that calls and JavaScript share, and what keeps it.
  int32_t* ints = nullptr;
  size_t intCount = 0;
  double* numbers = nullptr;
  size_t numberCount = 0;
  napi_ref intsRef = nullptr;
  napi_ref numbersRef = nullptr;

  // Reused by every call.
  std::vector<Handle> inputHandles;
  std::vector<Handle> outputHandles;
  std::vector<at::Tensor> inputs;
};

}  // namespace patchstream

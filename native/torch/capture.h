// Work on a device that is written down once and then launched as a whole.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>

namespace patchstream {

class Capture {
 public:
  virtual ~Capture() = default;

  // Writes down what `work` asks of the device, which does nothing of it. The work must read nothing back, and what it makes must not outlive it. Throws what
  // the work throws, and where it cannot be captured.
  virtual void take(std::function<void()> work) = 0;

  // Has the device do what was written down, behind all that it was asked for before.
  virtual void launch() = 0;
};

// Whether work on the device can be captured: on CUDA where libtorch has its common interface to graphs. The host does the work itself at each launch.
bool capturesOn(at::Device device);
// Nothing where it cannot.
std::unique_ptr<Capture> captureFor(at::Device device);

}  // namespace patchstream

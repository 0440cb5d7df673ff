// Whether kernels of our own serve on a device: those whose results on numbers made up for it were those of ATen's operations there.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace patchstream {

// Whether kernels may be asked for on the device: CUDA of generation 8 or later, `ownKernels()`, and no `WithoutKernels` in this thread.
bool kernelsMayServe(at::Device device);

// For its own life no kernel of ours serves in this thread.
class WithoutKernels {
 public:
  WithoutKernels();
  ~WithoutKernels();
  WithoutKernels(const WithoutKernels&) = delete;
  WithoutKernels& operator=(const WithoutKernels&) = delete;
};

// Results of the kernels, and of ATen's operations for the same numbers.
struct Trial {
  std::vector<at::Tensor> found, wanted;
};

// Whether what goes by this name serves on the device. Asked for the first time, it is tried there: each result may be apart from that of ATen's operations by
// `tolerance`, as ‖found − wanted‖ / ‖wanted‖. Untried, and not serving, while a recording is replayed, for a trial waits for the device.
bool serves(const std::string& what, at::Device device, double tolerance, const std::function<Trial()>& trial);

// All that was tried: its name and device, and why it does not serve, or nothing where it does.
std::vector<std::pair<std::string, std::string>> triedKernels();

// Numbers for trials, between −1 and 1 and none like the next.
at::Tensor madeUp(at::IntArrayRef shape, at::Device device, double pace);

}  // namespace patchstream

#include "cuda/trial.h"

#include <c10/util/Exception.h>

#include <map>
#include <mutex>
#include <sstream>

#include "device/cuda.h"
#include "device/device.h"

namespace patchstream {

namespace {

thread_local int without = 0;

struct Tried {
  std::mutex mutex;
  // By name and device: why it does not serve.
  std::map<std::string, std::string> reasons;
};
Tried& tried() {
  static Tried& only = *new Tried;
  return only;
}

// Why the trial was not passed; nothing where it was.
std::string judged(const std::function<Trial()>& trial, double tolerance) {
  try {
    const Trial made = trial();
    for (size_t i = 0; i < made.wanted.size(); i++) {
      const at::Tensor wanted = made.wanted[i].to(at::kDouble), found = made.found.at(i).to(at::kDouble);
      const double apart = (found - wanted).norm().item<double>() / wanted.norm().item<double>();
      // Also where it is no number.
      if (apart <= tolerance) continue;
      std::ostringstream text;
      text << "result " << i << " is apart from ATen's by " << apart << ", and may be by " << tolerance;
      return text.str();
    }
    return "";
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    return text.substr(0, text.find('\n'));
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

bool kernelsMayServe(at::Device device) {
  // The driver is asked when there is a tensor of the device: before, it may not be loaded.
  return device.is_cuda() && without == 0 && ownKernels() && cudaGeneration(device.index()) >= 8;
}

WithoutKernels::WithoutKernels() { without++; }
WithoutKernels::~WithoutKernels() { without--; }

bool serves(const std::string& what, at::Device device, double tolerance, const std::function<Trial()>& trial) {
  const std::string name = what + " on " + device.str();
  {
    const std::lock_guard<std::mutex> lock(tried().mutex);
    const auto found = tried().reasons.find(name);
    if (found != tried().reasons.end()) return found->second.empty();
  }
  if (isReplaying()) return false;
  const std::string reason = judged(trial, tolerance);
  const std::lock_guard<std::mutex> lock(tried().mutex);
  return tried().reasons.emplace(name, reason).first->second.empty();
}

std::vector<std::pair<std::string, std::string>> triedKernels() {
  const std::lock_guard<std::mutex> lock(tried().mutex);
  return {tried().reasons.begin(), tried().reasons.end()};
}

at::Tensor madeUp(at::IntArrayRef shape, at::Device device, double pace) {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return at::arange(count, at::TensorOptions(at::kDouble).device(device)).add_(1).mul_(pace).sin_().to(at::kFloat).view(shape);
}

}  // namespace patchstream

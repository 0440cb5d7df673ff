#include "device/device.h"

#include <c10/core/Event.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "device/allocator.h"
#include "device/cuda.h"

namespace patchstream {

namespace {

// c10's events tell times since 2.3.
template <class Event, class = void>
struct TellsTimes : std::false_type {};
template <class Event>
struct TellsTimes<Event, std::void_t<decltype(std::declval<const Event&>().elapsedTime(std::declval<const Event&>()))>>
    : std::true_type {};

template <class Event>
double elapsed(const Event& from, const Event& to) {
  if constexpr (TellsTimes<Event>::value) {
    to.synchronize();
    return from.elapsedTime(to);
  }
  return 0;
}

thread_local bool replaying = false;

constexpr int32_t mostMarks = 4096;

std::string kernelsWanted() {
  const char* wish = std::getenv("PATCHSTREAM_TORCH_KERNELS");
  return wish == nullptr || *wish == 0 ? "own" : wish;
}

c10::Stream streamOf(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

}  // namespace

bool ownKernels() {
  static const bool own = kernelsWanted() != "aten";
  return own;
}

void checkKernelsWanted() {
  const std::string wish = kernelsWanted();
  TORCH_CHECK(wish == "own" || wish == "plain" || wish == "aten", "PATCHSTREAM_TORCH_KERNELS must be own, plain or aten; got: ", wish);
}

bool specialLoopsWanted() { return kernelsWanted() == "own"; }

bool onHost(const at::Tensor& x) { return x.defined() && x.is_cpu() && ownKernels(); }

bool onHost(const std::vector<at::Tensor>& tensors) {
  for (const at::Tensor& tensor : tensors)
    if (tensor.defined() && !onHost(tensor)) return false;
  return ownKernels();
}

bool onHost(at::Device device) { return device.is_cpu() && ownKernels(); }

bool liesOnHost(const at::Tensor& x) { return x.is_cpu(); }

void* addressOf(const at::Tensor& x) { return x.data_ptr(); }

void* cpuBytes(const at::Tensor& x) {
  TORCH_CHECK(x.is_cpu() && x.is_contiguous(), "a dense tensor of the host is needed, not one on ", x.device());
  return x.data_ptr();
}

void checkWithin(const at::Tensor& index, int64_t size, const char* what) {
  if (index.numel() == 0 || index.is_meta() || (replaying && !index.is_cpu())) return;
  const int64_t least = index.min().item<int64_t>();
  const int64_t most = index.max().item<int64_t>();
  TORCH_CHECK(least >= 0 && most < size, what, " ", least < 0 ? least : most, " is not in 0 ... ", size - 1);
}

Replaying::Replaying() { replaying = true; }
Replaying::~Replaying() { replaying = false; }
bool isReplaying() { return replaying; }

int cudaDevices() {
  if (!at::hasCUDA() || !c10::impl::hasDeviceGuardImpl(at::kCUDA)) return 0;
  return static_cast<int>(c10::impl::VirtualGuardImpl(at::kCUDA).deviceCount());
}

void synchronize(at::Device device) {
  if (device.is_cpu() || device.is_meta()) return;
  streamOf(device).synchronize();
}

void releaseMemory(at::Device device) {
  dropIdleMemory();
  if (device.is_cuda()) releaseCuda();
}

DeviceMemory memoryOf(at::Device device) { return device.is_cuda() ? cudaMemory(device.index()) : DeviceMemory{}; }

struct Marks::Mark {
  std::optional<c10::Event> event;
  std::chrono::steady_clock::time_point clock;
};

Marks::Marks() = default;
Marks::~Marks() = default;

void Marks::set(int32_t number, at::Device device) {
  TORCH_CHECK(number >= 0 && number < mostMarks, "no mark ", number, ": they go from 0 to ", mostMarks - 1);
  while (marks_.size() <= static_cast<size_t>(number)) marks_.emplace_back();
  Mark& mark = marks_[number];
  if (device.is_cuda() && TellsTimes<c10::Event>::value) {
    if (!mark.event.has_value()) mark.event.emplace(device.type(), c10::EventFlag::BACKEND_DEFAULT);
    mark.event->record(streamOf(device));
    return;
  }
  synchronize(device);
  mark.event.reset();
  mark.clock = std::chrono::steady_clock::now();
}

double Marks::between(int32_t from, int32_t to) const {
  const auto count = static_cast<int32_t>(marks_.size());
  TORCH_CHECK(from >= 0 && from < count && to >= 0 && to < count, "a mark that was never set");
  const Mark& first = marks_[from];
  const Mark& last = marks_[to];
  if (first.event.has_value() && last.event.has_value()) return elapsed(*first.event, *last.event);
  return std::chrono::duration<double, std::milli>(last.clock - first.clock).count();
}

}  // namespace patchstream

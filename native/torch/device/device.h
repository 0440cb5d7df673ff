// Where tensors lie, and what may be done with their memory from here. All that reads or writes a tensor's memory in this thread goes through
// `hostData` or `cpuBytes`: a test holds that.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace patchstream {

// False when PATCHSTREAM_TORCH_KERNELS is `aten`: no loop of ours runs, and every operation is ATen's as it is on a device.
bool ownKernels();

// False when PATCHSTREAM_TORCH_KERNELS is `plain`, where loops of ours do without tiles and panels as they do on processors that have not what these need, or `aten`.
bool specialLoopsWanted();

// Throws where the environment asks for loops that there are not.
void checkKernelsWanted();

// Whether loops of ours may read and write the tensor: it lies in the memory of the host, and `ownKernels()`. False for undefined tensors.
bool onHost(const at::Tensor& x);
// Whether that holds of every tensor that is defined.
bool onHost(const std::vector<at::Tensor>& tensors);

// Whether loops of ours compute what is made on the device.
bool onHost(at::Device device);

// Whether the tensor lies in the memory of the host, whoever computes.
bool liesOnHost(const at::Tensor& x);

// Where a tensor lies: to be handed to the device, or compared, and not to be read or written here.
void* addressOf(const at::Tensor& x);

// The numbers of a tensor for loops of ours. Throws where `onHost` is false.
template <class T>
T* hostData(const at::Tensor& x) {
  TORCH_CHECK(onHost(x), "the memory of a tensor on ", x.defined() ? x.device().str() : "no device", " is not for loops of the host");
  return x.data_ptr<T>();
}

// The bytes of a dense tensor that was copied to the host, or is to be copied from there. Throws for a tensor of a device.
void* cpuBytes(const at::Tensor& x);

// Throws when an index is not in 0 … size − 1, and says which `what` it was: on a GPU such an index would end the process's work on it. Asks the device, and
// waits for its answer; so nobody asks while a recording is replayed, whose calls were checked when they were recorded.
void checkWithin(const at::Tensor& index, int64_t size, const char* what);

// Says for its own life that a recording is replayed in this thread.
class Replaying {
 public:
  Replaying();
  ~Replaying();
  Replaying(const Replaying&) = delete;
  Replaying& operator=(const Replaying&) = delete;
};

// Whether a recording is replayed in this thread now.
bool isReplaying();

// How many CUDA devices this libtorch sees.
int cudaDevices();

// Waits until the device has done what was asked of it.
void synchronize(at::Device device);

// Gives memory that is kept for later back: the device's, and the host's.
void releaseMemory(at::Device device);

struct DeviceMemory {
  double free = -1;  // what tensors may still take; -1: unknown
  double total = -1;
};
// Of a device with memory of its own that libtorch can ask.
DeviceMemory memoryOf(at::Device device);

// Moments in the work of a device, by number. On CUDA, events of the stream: a moment comes when all that was asked for before is done, and nobody
// waits for it. Elsewhere the host's clock, read when the device has caught up.
class Marks {
 public:
  Marks();
  ~Marks();
  // Sets a moment, again or for the first time. Numbers are small: each keeps an event.
  void set(int32_t number, at::Device device);
  // Milliseconds from one moment to another; waits until both have come.
  double between(int32_t from, int32_t to) const;

 private:
  struct Mark;
  std::vector<Mark> marks_;
};

}  // namespace patchstream

#pragma once

#include <ATen/ATen.h>
#include <node_api.h>

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace patchstream {

// Copies tensors to the host while JavaScript goes on: one thread that waits for the device, and a promise for each tensor. Where no thread
// can be started JavaScript waits.
class Readback {
 public:
  explicit Readback(napi_env env);
  ~Readback();
  Readback(const Readback&) = delete;
  Readback& operator=(const Readback&) = delete;

  // A promise that is fulfilled when `into`, a typed array with room for the tensor, holds its numbers as they are now.
  napi_value read(const at::Tensor& tensor, napi_value into);

 private:
  struct Job;

  static void fetch(Job& job) noexcept;
  void work();
  void stop();
  static void finish(napi_env env, napi_value callback, void* context, void* data);

  napi_env env_;
  napi_threadsafe_function done_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<std::unique_ptr<Job>> jobs_;
  bool stopped_ = false;
  int pending_ = 0;
  std::thread thread_;
};

// Copies a tensor on the host into a typed array of its element size and count; throws where they differ.
void copyInto(napi_env env, const at::Tensor& host, napi_value into);

}  // namespace patchstream

#pragma once

#include <ATen/ATen.h>
#include <node_api.h>

#include <memory>
#include <unordered_map>

#include "../common/delivery.h"
#include "../common/threads.h"

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
  static void deliver(napi_env env, napi_value callback, void* context, void* data);
  void finish(napi_env env, Job& job);

  napi_env env_;
  // Of the JavaScript thread alone.
  std::unordered_map<Job*, std::unique_ptr<Job>> open_;
  Delivery<Job> done_;
  Threads<Job> threads_;
};

// Copies a tensor on the host into a typed array of its element size and count; throws where they differ.
void copyInto(napi_env env, const at::Tensor& host, napi_value into);

}  // namespace patchstream

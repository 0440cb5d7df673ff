#include "readback.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <string>
#include <tuple>

#include "arguments.h"
#include "device.h"

namespace patchstream {

struct Readback::Job {
  at::Tensor tensor;
  napi_deferred deferred = nullptr;
  napi_ref into = nullptr;
  std::string error;
  bool memory = false;  // the error is of memory
};

Readback::Readback(napi_env env) : env_(env) {
  napi_value name;
  napi_create_string_utf8(env, "patchstream readback", NAPI_AUTO_LENGTH, &name);
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, finish, &done_);
  TORCH_CHECK(status == napi_ok, "no thread-safe function");
  // Only an open promise keeps the program alive.
  napi_unref_threadsafe_function(env, done_);
  try {
    thread_ = std::thread([this] { work(); });
  } catch (const std::exception&) {
    // No thread to be had, or no memory for one: then what is read back is read at once, see `read`.
  }
  // Hooks run last in, first out: the thread is gone before the thread-safe function is.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Readback*>(self)->stop(); }, this);
}

Readback::~Readback() { stop(); }

void Readback::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

napi_value Readback::read(const at::Tensor& tensor, napi_value into) {
  // All that may find no memory comes first: then nobody waits for a job that nobody does.
  std::list<std::unique_ptr<Job>> made;
  made.push_back(std::make_unique<Job>());
  Job& job = *made.front();
  // What the tensor holds now: it may be changed in place, or freed, before the thread comes to it.
  job.tensor = thread_.joinable() ? tensor.clone() : tensor;
  napi_value promise;
  napi_create_promise(env_, &job.deferred, &promise);
  napi_create_reference(env_, into, 1, &job.into);
  if (pending_++ == 0) napi_ref_threadsafe_function(env_, done_);
  if (!thread_.joinable()) {
    fetch(job);
    finish(env_, nullptr, this, made.front().release());
    return promise;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.splice(jobs_.end(), made);
  }
  wake_.notify_one();
  return promise;
}

// An exception that left the thread would end the process.
void Readback::fetch(Job& job) noexcept {
  try {
    const c10::OptionalDeviceGuard there(job.tensor.device());
    job.tensor = job.tensor.to(at::kCPU);
  } catch (...) {
    std::tie(job.error, job.memory) = whatWasThrown();
  }
}

void Readback::work() {
  const c10::InferenceMode guard;
  while (true) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopped_ || !jobs_.empty(); });
      if (stopped_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    fetch(*job);
    Job* sent = job.release();
    // A dying environment takes no more; its references go with it.
    if (napi_call_threadsafe_function(done_, sent, napi_tsfn_nonblocking) != napi_ok) delete sent;
  }
}

void Readback::finish(napi_env env, napi_value, void* context, void* data) {
  const std::unique_ptr<Job> job(static_cast<Job*>(data));
  if (env == nullptr) return;
  auto* self = static_cast<Readback*>(context);
  if (--self->pending_ == 0) napi_unref_threadsafe_function(env, self->done_);
  napi_value into;
  if (napi_get_reference_value(env, job->into, &into) != napi_ok) return;
  if (job->error.empty()) {
    try {
      copyInto(env, job->tensor, into);
    } catch (...) {
      std::tie(job->error, job->memory) = whatWasThrown();
    }
  }
  napi_delete_reference(env, job->into);
  if (job->error.empty()) {
    napi_resolve_deferred(env, job->deferred, into);
  } else {
    napi_value text;
    napi_value failure;
    napi_value code;
    napi_create_string_utf8(env, codeOf(job->memory), NAPI_AUTO_LENGTH, &code);
    napi_create_string_utf8(env, job->error.c_str(), job->error.size(), &text);
    napi_create_error(env, code, text, &failure);
    napi_reject_deferred(env, job->deferred, failure);
  }
}

void copyInto(napi_env env, const at::Tensor& host, napi_value into) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  TORCH_CHECK(napi_get_typedarray_info(env, into, &type, &length, &data, nullptr, nullptr) == napi_ok, "a typed array is needed");
  const size_t elementBytes = type == napi_float32_array || type == napi_int32_array ? 4 : 1;
  TORCH_CHECK(type == napi_float32_array || type == napi_int32_array || type == napi_uint8_array,
              "a Float32Array, Int32Array or Uint8Array is needed");
  TORCH_CHECK(length * elementBytes == host.nbytes(), "an array of ", host.nbytes(), " bytes is needed");
  if (length > 0) std::memcpy(data, cpuBytes(host), host.nbytes());
}

}  // namespace patchstream

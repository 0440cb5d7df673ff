#include "device/readback.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <cstring>

#include "arguments.h"
#include "device/device.h"

namespace patchstream {

struct Readback::Job {
  at::Tensor tensor;
  napi_deferred deferred = nullptr;
  napi_ref into = nullptr;
  // With no text, all went well.
  Thrown error{};
};

Readback::Readback(napi_env env) : env_(env), done_(env, nullptr, "patchstream readback", this, deliver) {
  try {
    const std::lock_guard<std::mutex> lock(threads_.mutex);
    threads_.start([this] { work(); });
  } catch (const std::exception&) {
    // No thread to be had, or no memory for one: then what is read back is read at once, see `read`.
  }
  // Hooks run last in, first out: the thread is gone before the thread-safe function is.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Readback*>(self)->stop(); }, this);
}

Readback::~Readback() { stop(); }

void Readback::stop() { threads_.stop(); }

napi_value Readback::read(const at::Tensor& tensor, napi_value into) {
  // All that may find no memory comes first: then nobody waits for a job that nobody does.
  auto made = std::make_unique<Job>();
  Job* job = made.get();
  std::unique_lock<std::mutex> lock(threads_.mutex);
  const bool threaded = threads_.count() > 0;
  // What the tensor holds now: it may be changed in place, or freed, before the thread comes to it.
  job->tensor = threaded ? tensor.clone() : tensor;
  done_.reserve(1);
  const auto place = open_.emplace(job, std::move(made)).first;
  napi_value promise = nullptr;
  try {
    if (threaded) threads_.waiting.push_back(job);
    // A JavaScript thread that is being ended gives neither. The thread takes no job before the lock is free.
    const bool given = napi_create_promise(env_, &job->deferred, &promise) == napi_ok && napi_create_reference(env_, into, 1, &job->into) == napi_ok;
    if (threaded && !given) threads_.waiting.pop_back();
    check(given, "no promise");
  } catch (...) {
    open_.erase(place);
    throw;
  }
  lock.unlock();
  done_.opened(1);
  if (threaded) {
    threads_.wake();
  } else {
    fetch(*job);
    finish(env_, *job);
  }
  return promise;
}

// An exception that left the thread would end the process.
void Readback::fetch(Job& job) noexcept {
  // What lies on the host is there. So this thread calls nothing of libtorch, which may be on its way down when the process ends.
  if (liesOnHost(job.tensor)) return;
  try {
    const c10::OptionalDeviceGuard there(job.tensor.device());
    job.tensor = job.tensor.to(at::kCPU);
  } catch (...) {
    job.error = whatLibtorchThrew();
  }
}

void Readback::work() {
  const c10::InferenceMode guard;
  while (true) {
    Job* job = nullptr;
    {
      std::unique_lock<std::mutex> lock(threads_.mutex);
      if (!threads_.wait(lock, [] { return true; })) return;
      job = threads_.waiting.front();
      threads_.waiting.pop_front();
    }
    fetch(*job);
    done_.add(std::array<Job*, 1>{job});
  }
}

void Readback::deliver(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  auto* self = static_cast<Readback*>(context);
  const std::vector<Job*>& ended = self->done_.take();
  self->done_.listen();
  for (size_t i = 0; i < ended.size(); i++) self->finish(env, *ended[i]);
}

void Readback::finish(napi_env env, Job& job) {
  done_.closed(1);
  const auto found = open_.find(&job);
  const std::unique_ptr<Job> kept = std::move(found->second);
  open_.erase(found);
  napi_value into = nullptr;
  if (napi_get_reference_value(env, job.into, &into) != napi_ok) return;
  if (job.error.text.empty()) {
    try {
      copyInto(env, job.tensor, into);
    } catch (...) {
      job.error = whatLibtorchThrew();
    }
  }
  napi_delete_reference(env, job.into);
  if (job.error.text.empty()) {
    napi_resolve_deferred(env, job.deferred, into);
  } else {
    napi_value text = nullptr;
    napi_value failure = nullptr;
    napi_value code = nullptr;
    napi_create_string_utf8(env, codeOf<Libtorch>(job.error), NAPI_AUTO_LENGTH, &code);
    napi_create_string_utf8(env, job.error.text.c_str(), job.error.text.size(), &text);
    napi_create_error(env, code, text, &failure);
    napi_reject_deferred(env, job.deferred, failure);
  }
}

void copyInto(napi_env env, const at::Tensor& host, napi_value into) {
  const auto [type, length, data] = typedArrayOf(env, into);
  const size_t elementBytes = type == napi_float32_array || type == napi_int32_array ? 4 : 1;
  TORCH_CHECK(type == napi_float32_array || type == napi_int32_array || type == napi_uint8_array,
              "a Float32Array, Int32Array or Uint8Array is needed");
  TORCH_CHECK(length * elementBytes == host.nbytes(), "an array of ", host.nbytes(), " bytes is needed");
  if (length > 0) std::memcpy(data, cpuBytes(host), host.nbytes());
}

}  // namespace patchstream

#include "pool.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>

#include "encode/new_file.h"
#include "reading/files.h"
#include "render.h"

namespace patchstream {

namespace {

// Small jobs are taken several at a time, up to this weight (a few tens of microseconds), so that waking a thread and telling JavaScript are paid
// once for all of them.
constexpr size_t handful = size_t{64} << 10;

// Of each job in a message: id, outcome, and of a file that was read its bytes, of one that was written the microseconds, or as many as an int32 can say.
constexpr size_t outcomeInts = 3;
// Jobs in a message at most; of more there are several.
constexpr size_t messageJobs = 1024;

// Writes the file that the job has made to its path. Where that fails, its bytes go to JavaScript as those of any other, and it says why.
void keep(Job& job) {
  using clock = std::chrono::steady_clock;
  const clock::time_point begun = clock::now();
  if (!writeNew(job.path, job.encoded.data(), job.encoded.size)) return;
  job.encoded.clear();
  job.outcome = Outcome::written;
  job.size = static_cast<size_t>(std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - begun).count());
}

}  // namespace

Pool::Pool(napi_env env, napi_value callback, int32_t threads)
    : env_(env), wanted_(std::max(1, threads)), done_(env, callback, "patchstream render", this, deliver) {
  napi_value buffer;
  napi_value outcomes;
  void* data = nullptr;
  if (napi_create_arraybuffer(env, messageJobs * outcomeInts * sizeof(int32_t), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_int32_array, messageJobs * outcomeInts, buffer, 0, &outcomes) != napi_ok ||
      napi_create_reference(env, outcomes, 1, &outcomes_) != napi_ok) {
    throw std::bad_alloc();
  }
  numbers_ = static_cast<int32_t*>(data);
  // Hooks run last in, first out: the threads are gone before the thread-safe function is.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Pool*>(self)->stop(); }, this);
}

Pool::~Pool() { stop(); }

Job& Pool::at(int32_t id) {
  if (static_cast<size_t>(id) >= slots_.size()) slots_.resize(id + 1);
  if (slots_[id] == nullptr) {
    slots_[id] = std::make_unique<Slot>();
    slots_[id]->job.id = id;
  }
  return slots_[id]->job;
}

void Pool::submit(const std::vector<Job*>& jobs, napi_value keep) {
  if (jobs.empty()) return;
  for (Job* job : jobs) job->unwanted = false;
  // All that may find no memory, or no thread, comes first: then no job has begun, and nothing waits for one.
  auto held = std::make_unique<Keep>();
  done_.reserve(jobs.size());
  {
    const std::lock_guard<std::mutex> lock(threads_.mutex);
    start();
    threads_.waiting.insert(threads_.waiting.end(), jobs.begin(), jobs.end());
    queued_ = threads_.waiting.size();
    // No thread takes one before the lock is free.
    held->open = jobs.size();
    napi_create_reference(env_, keep, 1, &held->arrays);
    for (Job* job : jobs) slots_[job->id]->keep = held.get();
    held.release();
  }
  done_.opened(jobs.size());
  threads_.wake();
}

void Pool::cancel(int32_t id) {
  if (static_cast<size_t>(id) >= slots_.size() || slots_[id] == nullptr) return;
  Job& job = slots_[id]->job;
  job.unwanted = true;
  // For a row, as a rule: whoever draws looks at `unwanted` before each.
  while (job.touched) std::this_thread::yield();
}

void Pool::setThreads(int32_t count) {
  {
    const std::lock_guard<std::mutex> lock(threads_.mutex);
    wanted_ = std::max(1, count);
    if (threads_.count() > 0) start();
  }
  threads_.wake();
}

void Pool::start() {
  while (threads_.count() < wanted_) {
    if (!threads_.start([this, index = threads_.count()] { work(index); })) return;
  }
}

void Pool::stop() {
  for (const auto& slot : slots_) {
    if (slot != nullptr) slot->job.unwanted = true;
  }
  threads_.stop();
}

void Pool::work(size_t index) {
  standBack();
  std::optional<Renderer> renderer;
  Handful taken;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(threads_.mutex);
      if (!threads_.wait(lock, [&] { return index < wanted_; })) return;
      take(taken);
    }
    for (Job* job : taken) {
      if (job->kind == Kind::file) {
        job->outcome = readFile(*job);
      } else if (job->kind == Kind::frame) {
        job->outcome = readFrame(*job);
      } else {
        render(renderer, *job);
      }
    }
    // Each message takes a core from a thread that renders, so it is sent when as many jobs have ended as still wait: early enough for more to be submitted
    // before the threads run dry, and for the last jobs at once.
    done_.add(taken, [this] { return queued_.load(); });
  }
}

// The renderer is made with the first picture: an exception that left the thread would end the process.
void Pool::render(std::optional<Renderer>& renderer, Job& job) noexcept {
  try {
    if (!renderer.has_value()) renderer.emplace();
    renderer->run(job);
    if (job.outcome == Outcome::encoded && job.encoding.kept) keep(job);
  } catch (...) {
    job.outcome = Outcome::memory;
  }
}

// The next job, and more of those behind it when they are small: but no more than this thread's part of what waits.
void Pool::take(Handful& taken) {
  taken.count = 0;
  std::deque<Job*>& waiting = threads_.waiting;
  const size_t most = (waiting.size() + wanted_ - 1) / wanted_;
  size_t weight = 0;
  do {
    weight += waiting.front()->weight;
    taken.jobs[taken.count++] = waiting.front();
    waiting.pop_front();
  } while (taken.count < std::min(most, taken.jobs.size()) && weight + waiting.front()->weight <= handful);
  queued_ = waiting.size();
}

void Pool::listen() {
  done_.listen([this] { return queued_.load(); });
}

void Pool::release(napi_env env, Job& job) {
  Keep*& keep = slots_[job.id]->keep;
  if (--keep->open == 0) {
    napi_delete_reference(env, keep->arrays);
    delete keep;
  }
  keep = nullptr;
}

// Calls JavaScript with (outcomes, count, messages): [id, outcome, size] of every job that has ended, in the first `count` ints of an array that is used again
// for the next message, and in their order the messages of those that broke and the files of those that were encoded (undefined where there is no memory for one);
// none where there are none.
void Pool::deliver(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr) return;
  auto* self = static_cast<Pool*>(context);
  const std::vector<Job*>& ended = self->done_.take();
  for (Job* job : ended) self->release(env, *job);
  self->done_.closed(ended.size());
  for (size_t first = 0; first < ended.size(); first += messageJobs) {
    self->hand(env, callback, ended, first, std::min(messageJobs, ended.size() - first));
  }
}

void Pool::hand(napi_env env, napi_value callback, const std::vector<Job*>& ended, size_t first, size_t count) {
  napi_value receiver;
  napi_get_undefined(env, &receiver);
  napi_value messages = receiver;
  int32_t* number = numbers_;
  uint32_t more = 0;
  for (size_t i = first; i < first + count; i++) {
    Job& job = *ended[i];
    *number++ = job.id;
    *number++ = static_cast<int32_t>(job.outcome);
    *number++ = static_cast<int32_t>(std::min<size_t>(job.size, INT32_MAX));
    if (job.outcome != Outcome::broken && job.outcome != Outcome::encoded) continue;
    napi_value said = receiver;
    if (more == 0) napi_create_array(env, &messages);
    if (job.outcome == Outcome::broken) {
      napi_create_string_utf8(env, job.message.c_str(), job.message.size(), &said);
    } else {
      napi_create_buffer_copy(env, job.encoded.size, job.encoded.data(), nullptr, &said);
      job.encoded.clear();
    }
    napi_set_element(env, messages, more++, said);
  }
  napi_value outcomes = nullptr;
  napi_value ints = nullptr;
  napi_get_reference_value(env, outcomes_, &outcomes);
  napi_create_uint32(env, static_cast<uint32_t>(count * outcomeInts), &ints);
  const napi_value given[] = {outcomes, ints, messages};
  napi_call_function(env, receiver, callback, 3, given, nullptr);
}

}  // namespace patchstream

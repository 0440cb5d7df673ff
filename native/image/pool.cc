#include "pool.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <exception>
#include <new>

#include "files.h"
#include "render.h"

namespace patchstream {

namespace {

// Small jobs are taken several at a time, up to this weight (a few tens of microseconds), so that waking a thread and telling JavaScript are paid
// once for all of them.
constexpr size_t handful = size_t{64} << 10;

// Of each job in a message: id, outcome, and of a file its bytes, or as many as an int32 can say.
constexpr size_t outcomeInts = 3;
// Jobs in a message at most; of more there are several.
constexpr size_t messageJobs = 1024;

// Has the calling thread stand back where there are more threads than cores: JavaScript's, which keeps all others at work, would wait for its turn, and
// with it timers and signals.
void standBack() {
#ifdef __linux__
  // Of this thread alone, as Linux has it; it is no harm when it is refused.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 5);
#endif
}

}  // namespace

Pool::Pool(napi_env env, napi_value callback, int32_t threads) : env_(env), wanted_(std::max(1, threads)) {
  napi_value name;
  napi_create_string_utf8(env, "patchstream render", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, nullptr, nullptr, this, deliver, &done_) != napi_ok) {
    throw std::bad_alloc();
  }
  // Only an open job keeps the program alive.
  napi_unref_threadsafe_function(env, done_);
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
  reserve(open_ + jobs.size());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    start();
    waiting_.insert(waiting_.end(), jobs.begin(), jobs.end());
    queued_ = waiting_.size();
    // No thread takes one before the lock is free.
    held->open = jobs.size();
    napi_create_reference(env_, keep, 1, &held->arrays);
    for (Job* job : jobs) slots_[job->id]->keep = held.get();
    held.release();
  }
  if (open_ == 0) napi_ref_threadsafe_function(env_, done_);
  open_ += jobs.size();
  wake_.notify_all();
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
    const std::lock_guard<std::mutex> lock(mutex_);
    wanted_ = std::max(1, count);
    if (!threads_.empty()) start();
  }
  wake_.notify_all();
}

void Pool::start() {
  while (!stopped_ && static_cast<int32_t>(threads_.size()) < wanted_) {
    const auto index = static_cast<int32_t>(threads_.size());
    try {
      threads_.emplace_back([this, index] { work(index); });
    } catch (const std::exception&) {
      // The machine gives no more threads, or no memory for one: those that are there do the work.
      if (threads_.empty()) throw;
      return;
    }
  }
}

void Pool::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    waiting_.clear();
    queued_ = 0;
  }
  for (const auto& slot : slots_) {
    if (slot != nullptr) slot->job.unwanted = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Pool::work(int32_t index) {
  standBack();
  std::optional<Renderer> renderer;
  Handful taken;
  while (true) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stopped_ || (index < wanted_ && !waiting_.empty()); });
      if (stopped_) return;
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
    report(taken);
  }
}

// The renderer is made with the first picture: an exception that left the thread would end the process.
void Pool::render(std::optional<Renderer>& renderer, Job& job) noexcept {
  try {
    if (!renderer.has_value()) renderer.emplace();
    renderer->run(job);
  } catch (...) {
    job.outcome = Outcome::memory;
  }
}

// The next job, and more of those behind it when they are small: but no more than this thread's part of what waits.
void Pool::take(Handful& taken) {
  taken.count = 0;
  const size_t most = (waiting_.size() + wanted_ - 1) / wanted_;
  size_t weight = 0;
  do {
    weight += waiting_.front()->weight;
    taken.jobs[taken.count++] = waiting_.front();
    waiting_.pop_front();
  } while (taken.count < std::min(most, taken.jobs.size()) && weight + waiting_.front()->weight <= handful);
  queued_ = waiting_.size();
}

void Pool::report(const Handful& ended) {
  const std::lock_guard<std::mutex> lock(endedMutex_);
  // There is room: see `reserve`.
  ended_.insert(ended_.end(), ended.begin(), ended.end());
  tell();
}

// Sends a message, unless one is on its way. Each takes a core from a thread that renders, so it is sent when as many jobs have ended as still wait: early
// enough for more to be submitted before the threads run dry, and for the last jobs at once.
void Pool::tell() {
  if (told_ || ended_.empty() || ended_.size() < queued_) return;
  told_ = true;
  // A dying environment takes none, and needs none.
  napi_call_threadsafe_function(done_, nullptr, napi_tsfn_nonblocking);
}

// Room in both lists of ended jobs, which are swapped, for as many as are open: a thread that has no memory to tell of a job could not tell of that either.
void Pool::reserve(size_t jobs) {
  delivered_.reserve(jobs);
  const std::lock_guard<std::mutex> lock(endedMutex_);
  ended_.reserve(jobs);
}

void Pool::listen() {
  const std::lock_guard<std::mutex> lock(endedMutex_);
  told_ = false;
  tell();
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
// for the next message, and the messages of those that broke, in their order; none where none did.
void Pool::deliver(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr) return;
  auto* self = static_cast<Pool*>(context);
  std::vector<Job*>& ended = self->delivered_;
  ended.clear();
  {
    const std::lock_guard<std::mutex> lock(self->endedMutex_);
    ended.swap(self->ended_);
  }
  if (ended.empty()) return;
  for (Job* job : ended) self->release(env, *job);
  self->open_ -= ended.size();
  if (self->open_ == 0) napi_unref_threadsafe_function(env, self->done_);
  for (size_t first = 0; first < ended.size(); first += messageJobs) {
    self->hand(env, callback, first, std::min(messageJobs, ended.size() - first));
  }
}

void Pool::hand(napi_env env, napi_value callback, size_t first, size_t count) {
  napi_value receiver;
  napi_get_undefined(env, &receiver);
  napi_value messages = receiver;
  int32_t* number = numbers_;
  uint32_t broken = 0;
  for (size_t i = first; i < first + count; i++) {
    const Job& job = *delivered_[i];
    *number++ = job.id;
    *number++ = static_cast<int32_t>(job.outcome);
    *number++ = static_cast<int32_t>(std::min<size_t>(job.size, INT32_MAX));
    if (job.outcome != Outcome::broken) continue;
    napi_value message;
    if (broken == 0) napi_create_array(env, &messages);
    napi_create_string_utf8(env, job.message.c_str(), job.message.size(), &message);
    napi_set_element(env, messages, broken++, message);
  }
  napi_value outcomes;
  napi_value ints;
  napi_get_reference_value(env, outcomes_, &outcomes);
  napi_create_uint32(env, static_cast<uint32_t>(count * outcomeInts), &ints);
  const napi_value given[] = {outcomes, ints, messages};
  napi_call_function(env, receiver, callback, 3, given, nullptr);
}

}  // namespace patchstream

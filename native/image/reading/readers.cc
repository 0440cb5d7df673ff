#include "reading/readers.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "reading/descriptor.h"

namespace patchstream {

namespace {

// More threads than that would wait for the same disk.
constexpr size_t mostThreads = 1024;
constexpr std::chrono::seconds restBeforeEnd{10};
// Large files are read in pieces: between two it is seen that nobody waits any more.
constexpr size_t pieceBytes = size_t{4} << 20;
// Of each read in a message: id, its size or -1, and 1 where it had nothing to wait for.
constexpr size_t outcomeInts = 3;
constexpr size_t messageReads = 1024;

// Reads `length` bytes, fewer where the file ends, which is at `expected`. False: an error, or nobody waits.
bool fill(Read& read, int file, int64_t offset, size_t length, size_t expected) {
  read.size = static_cast<size_t>(std::max<ssize_t>(0, readAtOnce(file, read.bytes.get(), length, offset)));
  read.atOnce = read.size >= expected;
  if (read.atOnce) return true;
  while (read.size < length && !read.unwanted) {
    const size_t room = std::min(length - read.size, pieceBytes);
    const ssize_t got = pread(file, read.bytes.get() + read.size, room, offset + static_cast<int64_t>(read.size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    read.size += static_cast<size_t>(got);
    // A short read of a file has come to its end.
    if (static_cast<size_t>(got) < room) return true;
  }
  return !read.unwanted;
}

bool allot(Read& read, size_t bytes) {
  read.bytes.reset(new (std::nothrow) uint8_t[bytes]);
  return read.bytes != nullptr;
}

bool readFile(Read& read) {
  const Descriptor file(read.path);
  struct stat about {};
  if (file.number < 0 || read.unwanted || fstat(file.number, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= 0) return false;
  const auto size = static_cast<size_t>(about.st_size);
  // Room for a byte more than the file says it has: a read that does not fill it has seen the end.
  return size <= read.length && allot(read, size + 1) && fill(read, file.number, 0, size + 1, size) && read.size == size;
}

bool readPiece(Read& read) {
  return allot(read, std::max<size_t>(read.length, 1)) && fill(read, read.descriptor, read.offset, read.length, read.length) && read.size == read.length;
}

void readNow(Read& read) {
  if (read.unwanted) return;
  read.whole = read.path.empty() ? readPiece(read) : readFile(read);
  if (!read.whole) read.bytes.reset();
}

// A thread that stands in a read when its JavaScript thread ends comes back into this code, which Node would have unloaded by then.
void stayLoaded() {
  static const bool once = [] {
    Dl_info about{};
    if (dladdr(reinterpret_cast<const void*>(&stayLoaded), &about) != 0) dlopen(about.dli_fname, RTLD_NOW | RTLD_NODELETE);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

// Threads hold it, so that it is there as long as any of them.
struct Readers::Shared {
  Shared(napi_env env, napi_value callback, Readers* home) : done(env, callback, "patchstream read", home, deliver) {}

  // A thread at rest. Each waits for itself alone: the one that was busy last is called first, and the others go on resting.
  struct Resting {
    std::condition_variable wake;
    bool called = false;
  };

  std::mutex mutex;
  // All with the mutex.
  std::deque<std::shared_ptr<Read>> waiting;
  std::vector<Resting*> resting;
  size_t threads = 0;
  bool closed = false;
  // While it is not closed.
  Delivery<Read> done;

  // With the mutex: false where no thread could be had.
  bool start(const std::shared_ptr<Shared>& self) {
    try {
      // A thread that has no memory to rest could not even report that.
      resting.reserve(threads + 1);
      std::thread([self] { self->work(); }).detach();
      threads++;
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex);
    while (!closed && (!waiting.empty() || rest(lock))) {
      if (waiting.empty()) continue;
      const std::shared_ptr<Read> read = waiting.front();
      waiting.pop_front();
      lock.unlock();
      readNow(*read);
      lock.lock();
      if (!closed) done.add(std::array<Read*, 1>{read.get()});
    }
    threads--;
  }

  // False: it was not called for long.
  bool rest(std::unique_lock<std::mutex>& lock) {
    Resting self;
    resting.push_back(&self);
    if (self.wake.wait_for(lock, restBeforeEnd, [&] { return self.called; })) return true;
    resting.erase(std::find(resting.begin(), resting.end(), &self));
    return false;
  }

  // With the mutex: has a thread that rests look around.
  void call() {
    Resting* one = resting.back();
    resting.pop_back();
    one->called = true;
    one->wake.notify_one();
  }
};

Readers::Readers(napi_env env, napi_value callback) : env_(env), shared_(std::make_shared<Shared>(env, callback, this)) {
  stayLoaded();
  napi_value buffer;
  napi_value outcomes;
  void* data = nullptr;
  if (napi_create_arraybuffer(env, messageReads * outcomeInts * sizeof(int32_t), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_int32_array, messageReads * outcomeInts, buffer, 0, &outcomes) != napi_ok ||
      napi_create_reference(env, outcomes, 1, &outcomes_) != napi_ok) {
    throw std::bad_alloc();
  }
  numbers_ = static_cast<int32_t*>(data);
  // Hooks run last in, first out: no thread calls the thread-safe function any more when it goes.
  napi_add_env_cleanup_hook(env, [](void* self) { static_cast<Readers*>(self)->stop(); }, this);
}

Readers::~Readers() { stop(); }

void Readers::stop() {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  shared_->closed = true;
  for (const auto& read : slots_) {
    if (read != nullptr) read->unwanted = true;
  }
  shared_->waiting.clear();
  while (!shared_->resting.empty()) shared_->call();
}

void Readers::submit(std::vector<std::shared_ptr<Read>> reads) {
  if (reads.empty()) return;
  shared_->done.reserve(reads.size());
  for (const auto& read : reads) {
    if (static_cast<size_t>(read->id) >= slots_.size()) slots_.resize(read->id + 1);
  }
  {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    Shared& shared = *shared_;
    // Where the machine gives no more threads, those that are there do the work.
    if (shared.threads == 0 && !shared.start(shared_)) throw std::system_error(EAGAIN, std::generic_category(), "no thread that reads");
    for (const auto& read : reads) {
      slots_[read->id] = read;
      shared.waiting.push_back(read);
      if (!shared.resting.empty()) {
        shared.call();
      } else if (shared.threads < mostThreads) {
        shared.start(shared_);
      }
    }
  }
  shared_->done.opened(reads.size());
}

void Readers::cancel(int32_t id) {
  if (static_cast<size_t>(id) >= slots_.size() || slots_[id] == nullptr || slots_[id]->unwanted) return;
  slots_[id]->unwanted = true;
  shared_->done.dropped(1);
}

bool Readers::take(int32_t id, uint8_t* room, size_t length) {
  if (static_cast<size_t>(id) >= slots_.size() || slots_[id] == nullptr) return false;
  const std::shared_ptr<Read> read = std::move(slots_[id]);
  if (room == nullptr || !read->whole || read->size > length) return false;
  std::copy_n(read->bytes.get(), read->size, room);
  return true;
}

void Readers::listen() { shared_->done.listen(); }

// Calls JavaScript with (outcomes, count): [id, size or -1, whether it had nothing to wait for] of every read that has ended, in the first `count` ints of an array that is used again.
void Readers::deliver(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr) return;
  auto* self = static_cast<Readers*>(context);
  const std::vector<Read*>& ended = self->shared_->done.take();
  const auto dropped = std::count_if(ended.begin(), ended.end(), [](const Read* read) { return read->unwanted.load(); });
  self->shared_->done.closed(ended.size(), static_cast<size_t>(dropped));
  for (size_t first = 0; first < ended.size(); first += messageReads) {
    self->hand(env, callback, ended, first, std::min(messageReads, ended.size() - first));
  }
}

void Readers::hand(napi_env env, napi_value callback, const std::vector<Read*>& ended, size_t first, size_t count) {
  int32_t* number = numbers_;
  for (size_t i = first; i < first + count; i++) {
    const Read& read = *ended[i];
    *number++ = read.id;
    *number++ = read.whole ? static_cast<int32_t>(read.size) : -1;
    *number++ = read.atOnce ? 1 : 0;
  }
  napi_value receiver;
  napi_value outcomes = nullptr;
  napi_value ints = nullptr;
  napi_get_undefined(env, &receiver);
  napi_get_reference_value(env, outcomes_, &outcomes);
  napi_create_uint32(env, static_cast<uint32_t>(count * outcomeInts), &ints);
  const napi_value given[] = {outcomes, ints};
  napi_call_function(env, receiver, callback, 2, given, nullptr);
}

}  // namespace patchstream

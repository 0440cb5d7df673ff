#include "files.h"

#include "crc32.h"
#include "descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include <cerrno>
#include <chrono>

namespace patchstream {

#if defined(__linux__) && defined(RWF_NOWAIT)

namespace {

// Opening a file whose folder lies in memory takes microseconds, and a thread may have to wait some milliseconds for a core. Longer than that, it has waited for a
// disk or a network.
constexpr std::chrono::milliseconds slowOpen{5};

// Whether the file system has nothing but memory. Such a one does not know RWF_NOWAIT, and never waits.
bool isMemory(int file) {
  struct statfs about {};
  return fstatfs(file, &about) == 0 && (about.f_type == TMPFS_MAGIC || about.f_type == static_cast<decltype(about.f_type)>(RAMFS_MAGIC));
}

// Reads what can be read without waiting for a disk, as pread does.
ssize_t readAtOnce(int file, uint8_t* to, size_t length, int64_t offset) {
  const iovec room{to, length};
  const ssize_t got = preadv2(file, &room, 1, offset, RWF_NOWAIT);
  return got < 0 && errno == EOPNOTSUPP && isMemory(file) ? pread(file, to, length, offset) : got;
}

}  // namespace

Outcome readFile(Job& job) {
  job.size = 0;
  if (job.path.find('\0') != std::string::npos || job.cancelled()) return Outcome::unread;
  const auto began = std::chrono::steady_clock::now();
  const Descriptor file(job.path);
  struct stat about {};
  const bool opened = file.number >= 0 && fstat(file.number, &about) == 0;
  if (std::chrono::steady_clock::now() - began > slowOpen) return Outcome::late;
  if (!opened || !S_ISREG(about.st_mode) || about.st_size <= 0) return Outcome::unread;
  const auto size = static_cast<size_t>(about.st_size);
  if (size >= job.outputLength) {
    job.size = size;
    return Outcome::unread;
  }
  // Room for a byte more than the file says it has: a read that does not fill it has seen the end. One that would wait for the disk answers short.
  if (readAtOnce(file.number, job.outputs[0], size + 1, 0) != static_cast<ssize_t>(size)) return Outcome::unread;
  job.size = size;
  return Outcome::read;
}

Outcome readFrame(Job& job) {
  job.size = 0;
  constexpr size_t sumBytes = 4;
  if (crc32Ways() == 0 || job.outputLength < sumBytes || job.cancelled()) return Outcome::unread;
  uint8_t* bytes = job.outputs[0];
  if (readAtOnce(job.descriptor, bytes, job.outputLength, job.offset) != static_cast<ssize_t>(job.outputLength)) return Outcome::unread;
  const uint32_t sum = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24;
  if (crc32(0, bytes + sumBytes, job.outputLength - sumBytes) != sum) return Outcome::unread;
  job.size = job.outputLength;
  return Outcome::read;
}

#else

Outcome readFile(Job& job) {
  job.size = 0;
  return Outcome::unread;
}

Outcome readFrame(Job& job) { return readFile(job); }

#endif

}  // namespace patchstream

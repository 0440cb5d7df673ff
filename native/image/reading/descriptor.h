// Files that are open, and reading what of them lies in memory.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#if defined(__linux__) && defined(RWF_NOWAIT)
#define PATCHSTREAM_AT_ONCE
#endif

namespace patchstream {

// A file that is open for reading; a negative number where it could not be opened.
class Descriptor {
 public:
  // Without waiting for a writer, where the path names a pipe: that is then seen not to be a file.
  explicit Descriptor(const std::string& path) : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  const int number;
};

#ifdef PATCHSTREAM_AT_ONCE

// Whether the file system has nothing but memory. Such a one does not know RWF_NOWAIT, and never waits. One over a network may have to be asked, so each is asked once.
inline bool isMemory(int file) {
  thread_local dev_t asked = 0;
  thread_local bool isOne = false;
  struct stat about {};
  if (fstat(file, &about) != 0) return false;
  if (asked == about.st_dev) return isOne;
  struct statfs system {};
  isOne = fstatfs(file, &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == static_cast<decltype(system.f_type)>(RAMFS_MAGIC));
  asked = about.st_dev;
  return isOne;
}

// Reads what can be read without waiting for a disk, as pread does.
inline ssize_t readAtOnce(int file, uint8_t* to, size_t length, int64_t offset) {
  const iovec room{to, length};
  const ssize_t got = preadv2(file, &room, 1, offset, RWF_NOWAIT);
  return got < 0 && errno == EOPNOTSUPP && isMemory(file) ? pread(file, to, length, offset) : got;
}

#else

inline ssize_t readAtOnce(int, uint8_t*, size_t, int64_t) { return -1; }

#endif

}  // namespace patchstream

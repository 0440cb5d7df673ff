#include "encode/new_file.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

namespace patchstream {

namespace {

bool writeAll(int file, const uint8_t* bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = ::write(file, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    length -= static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

bool writeNew(const std::string& path, const uint8_t* bytes, size_t length) {
  if (path.find('\0') != std::string::npos) return false;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
  if (file < 0) return false;
  const bool written = writeAll(file, bytes, length);
  // Over a network, closing says what went wrong.
  const bool closed = ::close(file) == 0;
  if (written && closed) return true;
  ::unlink(path.c_str());
  return false;
}

}  // namespace patchstream

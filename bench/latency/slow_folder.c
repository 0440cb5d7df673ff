// A folder that shows another, read-only, and waits in every open and every read, as a disk behind a network does: slow FOLDER MOUNT MILLISECONDS EVERY LONGER KEEPS.
// One open in EVERY (0: none) takes LONGER milliseconds, chosen by the file's name and so the same for whoever reads. KEEPS 0: nothing of an open file stays in the
// system's memory, as where the files are larger than that.
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *root;
static long milliseconds, every, longer, keeps;

static void wait_for(long time) {
  const struct timespec span = {time / 1000, time % 1000 * 1000000};
  if (time > 0) clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
}

static const char *real_path(const char *path, char *room) {
  snprintf(room, PATH_MAX, "%s%s", root, path);
  return room;
}

static unsigned hash(const char *text) {
  unsigned value = 2166136261u;
  for (; *text; text++) value = (value ^ (unsigned char)*text) * 16777619u;
  return value;
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *config) {
  connection->max_background = 1024;
  connection->congestion_threshold = 1024;
  config->attr_timeout = config->entry_timeout = 3600;
  return NULL;
}

static int look(const char *path, struct stat *about, struct fuse_file_info *file) {
  char room[PATH_MAX];
  const int failed = file && file->fh ? fstat((int)file->fh, about) : lstat(real_path(path, room), about);
  return failed ? -errno : 0;
}

static int list(const char *path, void *into, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file, enum fuse_readdir_flags flags) {
  char room[PATH_MAX];
  (void)offset, (void)file, (void)flags;
  DIR *folder = opendir(real_path(path, room));
  if (!folder) return -errno;
  for (struct dirent *entry; (entry = readdir(folder));) fill(into, entry->d_name, NULL, 0, 0);
  closedir(folder);
  return 0;
}

static int open_folder(const char *path, struct fuse_file_info *file) {
  char room[PATH_MAX];
  (void)file;
  return access(real_path(path, room), R_OK) ? -errno : 0;
}

// Listing by path.
static int list_path(const char *path, void *into, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file, enum fuse_readdir_flags flags) {
  return path ? list(path, into, fill, offset, file, flags) : -ENOENT;
}

static int open_file(const char *path, struct fuse_file_info *file) {
  char room[PATH_MAX];
  wait_for(every && hash(path) % (unsigned long)every == 0 ? longer : milliseconds);
  const int number = open(real_path(path, room), O_RDONLY);
  if (number < 0) return -errno;
  file->fh = (uint64_t)number;
  file->direct_io = !keeps;
  return 0;
}

static int read_file(const char *path, char *into, size_t length, off_t offset, struct fuse_file_info *file) {
  (void)path;
  wait_for(milliseconds);
  const ssize_t got = pread((int)file->fh, into, length, offset);
  return got < 0 ? -errno : (int)got;
}

static int close_file(const char *path, struct fuse_file_info *file) {
  (void)path;
  close((int)file->fh);
  return 0;
}

int main(int count, char **words) {
  if (count < 7) return 2;
  root = realpath(words[1], NULL);
  milliseconds = atol(words[3]);
  every = atol(words[4]);
  longer = atol(words[5]);
  keeps = atol(words[6]);
  const struct fuse_operations operations = {.init = begin, .getattr = look, .readdir = list_path, .opendir = open_folder, .open = open_file, .read = read_file, .release = close_file};
  char *given[] = {words[0], "-f", "-o", "ro,max_threads=1200,max_idle_threads=1200", words[2], NULL};
  return fuse_main(5, given, &operations, NULL);
}

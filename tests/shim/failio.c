/* LD_PRELOAD shim: makes the n-th call of a kind on files below one directory
 * fail. Armed from within the process through failio_arm(); used by
 * tests/hazards only.
 *
 * how: 0 EIO, 1 ENOSPC, 2 a short write (writes only; EIO for the rest),
 * 3 a rename that succeeds and then stops the process (SIGSTOP). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, SYNC, RENAME, OPEN, MAP, KINDS };

static char directory[PATH_MAX];
static size_t directory_length;
static atomic_int armed_kind = -1;
static atomic_int armed_how;
static atomic_long countdown;
static atomic_long seen;
static _Atomic(const char *) failed;

/* Arms the shim: the n-th call of `kind` below `dir` fails, once. n = 0 only
 * counts. */
void failio_arm(const char *dir, int kind, long n, int how) {
    atomic_store(&armed_kind, -1);
    directory_length = strlen(dir);
    if (directory_length >= sizeof directory) {
        return;
    }
    memcpy(directory, dir, directory_length + 1);
    atomic_store(&armed_how, how);
    atomic_store(&countdown, n);
    atomic_store(&seen, 0);
    atomic_store(&failed, NULL);
    atomic_store(&armed_kind, kind);
}

/* Disarms it and returns how many calls of the kind it saw; negative when
 * one of them failed. */
long failio_disarm(void) {
    atomic_store(&armed_kind, -1);
    long calls = atomic_load(&seen);
    return atomic_load(&countdown) < 0 ? -calls : calls;
}

/* The function whose call failed since it was armed; NULL for none. */
const char *failio_failed(void) { return atomic_load(&failed); }

static int below(const char *path) {
    return strncmp(path, directory, directory_length) == 0;
}

static int fd_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) {
        return 0;
    }
    path[n] = 0;
    return below(path);
}

/* Whether this call is the one to fail. */
static int fails(const char *name) {
    atomic_fetch_add(&seen, 1);
    if (atomic_load(&countdown) <= 0) {
        return 0;
    }
    if (atomic_fetch_sub(&countdown, 1) != 1) {
        return 0;
    }
    atomic_store(&countdown, -1);
    atomic_store(&failed, name);
    errno = atomic_load(&armed_how) == 1 ? ENOSPC : EIO;
    return 1;
}

static int path_fails(int kind, const char *path, const char *name) {
    return atomic_load(&armed_kind) == kind && below(path) && fails(name);
}

static int fd_fails(int kind, int fd, const char *name) {
    return atomic_load(&armed_kind) == kind && fd_below(fd) && fails(name);
}

static int shortens(void) { return atomic_load(&armed_how) == 2; }

#define REAL(result, name, ...)                                       \
    static result (*real)(__VA_ARGS__);                               \
    if (!real) {                                                      \
        *(void **)&real = dlsym(RTLD_NEXT, name);                     \
    }

ssize_t write(int fd, const void *data, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t)
    if (fd_fails(WRITE, fd, __func__)) {
        return shortens() && n > 1 ? real(fd, data, n / 2) : -1;
    }
    return real(fd, data, n);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)
    if (fd_fails(WRITE, fd, __func__)) {
        return shortens() && n > 1 ? real(fd, data, n / 2, at) : -1;
    }
    return real(fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    return pwrite64(fd, data, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(ssize_t, "writev", int, const struct iovec *, int)
    if (fd_fails(WRITE, fd, __func__)) {
        return shortens() && n > 1 ? real(fd, parts, n / 2) : -1;
    }
    return real(fd, parts, n);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at) {
    REAL(ssize_t, "pwritev64", int, const struct iovec *, int, off64_t)
    if (fd_fails(WRITE, fd, __func__)) {
        return shortens() && n > 1 ? real(fd, parts, n / 2, at) : -1;
    }
    return real(fd, parts, n, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) {
    return pwritev64(fd, parts, n, at);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int)
    return fd_fails(SYNC, fd, __func__) ? -1 : real(fd);
}

int fsync(int fd) {
    REAL(int, "fsync", int)
    return fd_fails(SYNC, fd, __func__) ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *)
    if (atomic_load(&armed_how) != 3) {
        return path_fails(RENAME, to, __func__) ? -1 : real(from, to);
    }
    /* One that finds no directory is no rename yet. */
    int result = real(from, to);
    if (result == 0 && path_fails(RENAME, to, __func__)) {
        raise(SIGSTOP);
    }
    return result;
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...)
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return path_fails(OPEN, path, __func__) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    REAL(int, "openat64", int, const char *, int, ...)
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return path_fails(OPEN, path, __func__) ? -1 : real(at, path, flags, mode);
}

void *mmap64(void *address, size_t n, int protection, int flags, int fd, off64_t at) {
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t)
    if (fd >= 0 && fd_fails(MAP, fd, __func__)) {
        return MAP_FAILED;
    }
    return real(address, n, protection, flags, fd, at);
}

void *mmap(void *address, size_t n, int protection, int flags, int fd, off_t at) {
    return mmap64(address, n, protection, flags, fd, at);
}

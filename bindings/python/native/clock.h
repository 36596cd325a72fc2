/* The clock of times to live: seconds that go on while the machine sleeps. */
#ifndef TWAT_CLOCK_H
#define TWAT_CLOCK_H

#ifdef _WIN32
#include <windows.h>
#else
#include <time.h>
#endif

static inline double clock_now(void)
{
#ifdef _WIN32
    return (double)GetTickCount64() * 1e-3;
#else
    struct timespec now;
#ifdef CLOCK_BOOTTIME
    if (clock_gettime(CLOCK_BOOTTIME, &now) == 0)
        return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
#endif
    /* On macOS this one goes on, too. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
#endif
}

#endif

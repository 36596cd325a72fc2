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

/* The time of the last tick of the system's timer, a few milliseconds ago: a hit reads no more. */
struct coarse_clock {
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec tick;
#endif
    double now;
};

static inline double clock_coarse(struct coarse_clock *clock)
{
#if defined(CLOCK_MONOTONIC_COARSE) && defined(CLOCK_BOOTTIME)
    struct timespec tick;
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &tick) == 0) {
        /* It stops in sleep, and ticks after it: then the other one is read. */
        if (tick.tv_nsec != clock->tick.tv_nsec || tick.tv_sec != clock->tick.tv_sec) {
            clock->tick = tick;
            clock->now = clock_now();
        }
        return clock->now;
    }
#endif
    return clock->now = clock_now();
}

#endif

/* MessagePack on the wire: big-endian numbers, and the numbers of our extension types (docs/format.md). */
#ifndef TWAT_WIRE_H
#define TWAT_WIRE_H

#include <stdint.h>
#include <string.h>

enum {
    EXT_TUPLE = 1,
    EXT_SET = 2,
    EXT_ARRAY = 10,
    EXT_NAMED = 11,
};

static inline uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t load32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t load64(const uint8_t *at)
{
    return (uint64_t)load32(at) << 32 | load32(at + 4);
}

static inline void store16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static inline void store32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

static inline void store64(uint8_t *at, uint64_t number)
{
    store32(at, (uint32_t)(number >> 32));
    store32(at + 4, (uint32_t)number);
}

/* The index of the lowest bit of a number that is not 0. */
static inline int lowest_bit(uint64_t number)
{
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(number);
#else
    int index = 0;
    for (; (number & 1) == 0; number >>= 1)
        index++;
    return index;
#endif
}

#endif

/* Structs that carry their size: smaller than the first version is refused, an older
 * program's is filled to its end, a newer program's larger one as far as this library
 * knows. (src/ffi/sized.rs tests the same of a struct that has grown.) */
#include "check.h"

struct newer_stats {
    twat_stats known;
    uint64_t future[4];
};

/* The lengths of version 3.0.0, frozen: what a program of that version passes. */
#define FIRST_STATS (sizeof(size_t) + 14 * sizeof(uint64_t))
#define FIRST_OPTION (7 * sizeof(size_t))
#define FIRST_SET_OPTIONS (3 * sizeof(size_t) + 3 * sizeof(uint64_t))

struct newer_set_options {
    twat_set_options known;
    uint64_t future[2];
};

struct newer_option {
    twat_option known;
    const char *future;
};

/* An old program's structs end where they did when it was built. */
static void an_old_caller(twat_cache *cache)
{
    union {
        twat_stats stats;
        twat_option option;
        unsigned char bytes[512];
    } at;
    twat_set_options set;
    memset(&at, 0xee, sizeof at);
    at.stats.struct_size = FIRST_STATS;
    CHECK_STATUS(twat_cache_stats(cache, &at.stats), TWAT_OK);
    CHECK(at.stats.struct_size == FIRST_STATS && at.stats.max_entries == 10);
    CHECK(at.stats.flags == TWAT_STATS_EXACT);
    for (size_t i = FIRST_STATS; i < sizeof at; i++)
        CHECK(at.bytes[i] == 0xee);
    memset(&at, 0xee, sizeof at);
    at.option.struct_size = FIRST_OPTION;
    CHECK_STATUS(twat_option_info(0, &at.option), TWAT_OK);
    CHECK(at.option.struct_size == FIRST_OPTION && at.option.doc[0]);
    for (size_t i = FIRST_OPTION; i < sizeof at; i++)
        CHECK(at.bytes[i] == 0xee);
    memset(&set, 0, sizeof set);
    set.struct_size = FIRST_SET_OPTIONS;
    set.ttl_ms = 60000;
    CHECK_STATUS(twat_cache_set_with(cache, "k", 1, "v", 1, &set), TWAT_OK);
    set.struct_size = FIRST_SET_OPTIONS - 1;
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "v", 1, &set), TWAT_E_ARG, "struct_size");
}

static void stats(twat_cache *cache)
{
    struct newer_stats newer;
    twat_stats mine;
    memset(&newer, 0xee, sizeof newer);
    newer.known.struct_size = sizeof newer;
    CHECK_STATUS(twat_cache_stats(cache, &newer.known), TWAT_OK);
    CHECK(newer.known.hits == 1 && newer.known.max_entries == 10);
    CHECK(newer.future[0] == 0xeeeeeeeeeeeeeeee && newer.future[3] == 0xeeeeeeeeeeeeeeee);
    memset(&mine, 0, sizeof mine);
    CHECK_FAILS(twat_cache_stats(cache, &mine), TWAT_E_ARG, "struct_size");
    mine.struct_size = sizeof mine - 8;
    CHECK_FAILS(twat_cache_stats(cache, &mine), TWAT_E_ARG, "struct_size");
    CHECK(mine.hits == 0);
}

static void options(twat_cache *cache)
{
    struct newer_set_options later;
    twat_set_options *set = &later.known;
    struct newer_option newer = {{0}, "untouched"};
    memset(&later, 0, sizeof later);
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "v", 1, set), TWAT_E_ARG, "struct_size");
    set->struct_size = SIZE_MAX;
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "v", 1, set), TWAT_E_ARG, "struct_size");
    set->struct_size = sizeof later;
    set->flags = 1u << 20;
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "v", 1, set), TWAT_E_ARG, "flags");
    set->flags = 0;
    CHECK_STATUS(twat_cache_set_with(cache, "k", 1, "v", 1, set), TWAT_OK);
    later.future[1] = 1;
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "w", 1, set), TWAT_E_ARG, "newer");
    expect_text(cache, "k", "v");
    newer.known.struct_size = sizeof newer;
    CHECK_STATUS(twat_option_info(0, &newer.known), TWAT_OK);
    CHECK(strcmp(newer.future, "untouched") == 0);
    newer.known.struct_size = sizeof(size_t);
    CHECK_FAILS(twat_option_info(0, &newer.known), TWAT_E_ARG, "struct_size");
}

/* Every row of the option table is whole, and its default is accepted. */
static void table(void)
{
    size_t count = twat_option_count();
    twat_option row;
    CHECK(count >= 30);
    for (size_t i = 0; i < count; i++) {
        row.struct_size = sizeof row;
        CHECK_STATUS(twat_option_info(i, &row), TWAT_OK);
        CHECK(row.name[0] && row.type_name[0] && row.range[0] && row.engines[0] && row.doc[0]);
        CHECK(row.default_value != NULL);
    }
    row.struct_size = sizeof row;
    CHECK_FAILS(twat_option_info(count, &row), TWAT_E_ARG, "index");
    CHECK_FAILS(twat_option_info(SIZE_MAX, &row), TWAT_E_ARG, "index");
}

int main(void)
{
    twat_cache *cache = memory_cache(10);
    set_text(cache, "k", "v");
    expect_text(cache, "k", "v");
    stats(cache);
    an_old_caller(cache);
    options(cache);
    table();
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    return 0;
}

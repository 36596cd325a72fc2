/* Structs that carry their size: smaller than the first version is refused,
 * a newer program's larger one is filled as far as this library knows. */
#include "check.h"

struct newer_stats {
    twat_stats known;
    uint64_t future[4];
};

struct newer_option {
    twat_option known;
    const char *future;
};

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
    twat_set_options set;
    struct newer_option newer = {{0}, "untouched"};
    memset(&set, 0, sizeof set);
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "v", 1, &set), TWAT_E_ARG, "struct_size");
    set.struct_size = sizeof set + 64;
    set.flags = 1u << 20;
    CHECK_FAILS(twat_cache_set_with(cache, "k", 1, "v", 1, &set), TWAT_E_ARG, "flags");
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
    options(cache);
    table();
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    return 0;
}

/* An exact LRU of two entries: the third displaces the one used longest ago. */
#include "check.h"

int main(void)
{
    twat_cache *cache = memory_cache(2);
    set_text(cache, "a", "1");
    set_text(cache, "b", "2");
    expect_text(cache, "a", "1");
    set_text(cache, "c", "3");
    expect_miss(cache, "b");
    expect_text(cache, "a", "1");
    expect_text(cache, "c", "3");
    set_text(cache, "a", "again");
    set_text(cache, "d", "4");
    expect_miss(cache, "c");
    expect_text(cache, "a", "again");
    expect_text(cache, "d", "4");
    CHECK(stats_of(cache).entries == 2);
    CHECK(stats_of(cache).evictions == 2);
    CHECK_STATUS(twat_cache_close(cache), TWAT_OK);
    return 0;
}

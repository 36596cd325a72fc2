/* One store under two names in one process: LMDB alone breaks the first
 * handle for good when the second is closed. */
#include "check.h"

int main(void)
{
    const char *real = scratch("twice"), *alias = scratch("alias");
    twat_cache *first = disk_cache(real), *second;
    twat_config *other;
    CHECK(symlink(real, alias) == 0);
    second = disk_cache(alias);
    set_text(first, "from first", "1");
    expect_text(second, "from first", "1");
    set_text(second, "from second", "2");
    expect_text(first, "from second", "2");
    CHECK_STATUS(twat_cache_close(second), TWAT_OK);
    expect_text(first, "from second", "2");
    set_text(first, "after the close", "3");
    second = disk_cache(alias);
    expect_text(second, "after the close", "3");
    CHECK_STATUS(twat_cache_close(first), TWAT_OK);
    set_text(second, "last", "4");
    expect_text(second, "last", "4");

    /* Other bounds than those it is open with: refused, naming both values. */
    other = store_config("disk", real);
    CHECK_STATUS(twat_config_set_u64(other, "max_bytes", 32u << 20), TWAT_OK);
    CHECK_FAILS(twat_cache_open(other, &first), TWAT_E_CONFIG, "max_bytes");
    CHECK(strstr(twat_last_error(), "67108864") && strstr(twat_last_error(), "33554432"));
    twat_config_free(other);

    CHECK_STATUS(twat_cache_close(second), TWAT_OK);
    return 0;
}

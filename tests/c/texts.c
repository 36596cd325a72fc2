/* Rules about text that all bindings share: units, namespaces, spelling. */
#include "check.h"

static void units(void)
{
    uint64_t number = 7;
    CHECK_STATUS(twat_parse_duration("1h30m", &number), TWAT_OK);
    CHECK(number == 5400000);
    CHECK_STATUS(twat_parse_size("1.5 GiB", &number), TWAT_OK);
    CHECK(number == 1610612736);
    CHECK_STATUS(twat_parse_percent("10%", &number), TWAT_OK);
    CHECK(number == 10);
    CHECK_FAILS(twat_parse_duration("90", &number), TWAT_E_CONFIG, "1h30m");
    CHECK_FAILS(twat_parse_size("5 M", &number), TWAT_E_CONFIG, "500 MB");
    CHECK_FAILS(twat_parse_percent("10", &number), TWAT_E_CONFIG, "10%");
    CHECK_FAILS(twat_parse_duration("\xff", &number), TWAT_E_ARG, "UTF-8");
    CHECK_FAILS(twat_parse_duration(NULL, &number), TWAT_E_ARG, "text");
    CHECK_FAILS(twat_parse_size("1 B", NULL), TWAT_E_ARG, "out_bytes");
    CHECK(number == 10);
}

static void namespaces(void)
{
    char long_name[300], space[TWAT_NAMESPACE_BYTES], other[TWAT_NAMESPACE_BYTES];
    size_t len = 0;
    CHECK_STATUS(twat_name_namespace("shop.prices", 11, space, sizeof space, &len), TWAT_OK);
    CHECK(len == 11 && memcmp(space, "shop.prices", 11) == 0);
    memset(long_name, 'a', sizeof long_name);
    CHECK_STATUS(twat_name_namespace(long_name, 300, space, sizeof space, &len), TWAT_OK);
    CHECK(len == TWAT_NAMESPACE_BYTES);
    long_name[299] = 'b';
    CHECK_STATUS(twat_name_namespace(long_name, 300, other, sizeof other, &len), TWAT_OK);
    CHECK(memcmp(space, other, len) != 0);
    CHECK_STATUS(twat_name_namespace("abc", 3, space, 2, &len), TWAT_TRUNCATED);
    CHECK(len == 3);
    CHECK_FAILS(twat_name_namespace(NULL, 3, space, 200, &len), TWAT_E_ARG, "name");
    CHECK_FAILS(twat_name_namespace("abc", 3, NULL, 200, &len), TWAT_E_ARG, "buffer");
    CHECK_FAILS(twat_name_namespace("abc", 3, space, 200, NULL), TWAT_E_ARG, "out_len");
}

static void spelling(void)
{
    const char *known[] = {"maxEntries", "maxBytes", "ttl"};
    size_t index = 9;
    CHECK_STATUS(twat_option_nearest("max_entrys", known, 3, &index), TWAT_OK);
    CHECK(index == 0);
    CHECK_STATUS(twat_option_nearest("colour", known, 3, &index), TWAT_MISS);
    CHECK_STATUS(twat_option_nearest("ttl", NULL, 0, &index), TWAT_MISS);
    CHECK_FAILS(twat_option_nearest(NULL, known, 3, &index), TWAT_E_ARG, "found");
    CHECK_FAILS(twat_option_nearest("ttl", NULL, 3, &index), TWAT_E_ARG, "known");
    CHECK_FAILS(twat_option_nearest("ttl", known, 3, NULL), TWAT_E_ARG, "out_index");
}

int main(void)
{
    units();
    namespaces();
    spelling();
    return 0;
}

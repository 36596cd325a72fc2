/* Fetch and leases: who computes, what is refused, and what happens to a lease that was
 * used twice, that a child of fork has, and whose cache was closed. */
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

static twat_cache *in_memory(void) {
    twat_config *config = NULL;
    twat_cache *cache = NULL;
    CHECK(twat_config_new("memory", &config) == TWAT_OK);
    CHECK(twat_cache_open(config, &cache) == TWAT_OK);
    twat_config_free(config);
    return cache;
}

int main(void) {
    twat_cache *cache = in_memory();
    twat_bytes value = {0};
    twat_lease *lease = NULL, *none = NULL;
    twat_fetch_options options = {0};
    options.struct_size = sizeof options;

    CHECK(twat_cache_fetch(cache, "key", 3, NULL, &value, &lease) == TWAT_MISS);
    CHECK(lease != NULL && value.len == 0);
    options.wait_ms = 5;
    CHECK(twat_cache_fetch(cache, "key", 3, &options, &value, &none) == TWAT_PENDING);
    CHECK(none == NULL);
    CHECK(strcmp(twat_status_name(TWAT_PENDING), "TWAT_PENDING") == 0);
    CHECK(twat_lease_renew(lease) == TWAT_OK);

    /* A child has no use for it, and may free it. */
    pid_t child = fork();
    if (child == 0) {
        int refused = twat_lease_set(lease, "c", 1, NULL) == TWAT_E_CLOSED
            && twat_lease_fail(lease, 0) == TWAT_E_CLOSED
            && strstr(twat_last_error(), "forked child") != NULL;
        twat_lease_free(lease);
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);

    CHECK(twat_lease_set(lease, "value", 5, NULL) == TWAT_OK);
    CHECK(twat_lease_set(lease, "again", 5, NULL) == TWAT_E_ARG);
    CHECK(twat_lease_fail(lease, 0) == TWAT_E_ARG && twat_lease_renew(lease) == TWAT_E_ARG);
    twat_lease_free(lease);
    CHECK(twat_cache_fetch(cache, "key", 3, NULL, &value, &lease) == TWAT_OK);
    CHECK(lease == NULL && value.len == 5 && memcmp(value.data, "value", 5) == 0);
    twat_bytes_free(&value);

    /* A refresh; what is deleted meanwhile stays so. */
    options.flags = TWAT_FETCH_REFRESH;
    CHECK(twat_cache_fetch(cache, "key", 3, &options, &value, &lease) == TWAT_MISS);
    CHECK(twat_cache_delete(cache, "key", 3) == TWAT_OK);
    CHECK(twat_lease_renew(lease) == TWAT_MISS);
    CHECK(twat_lease_set(lease, "stale", 5, NULL) == TWAT_MISS);
    twat_lease_free(lease);
    CHECK(twat_cache_contains(cache, "key", 3) == TWAT_MISS);

    /* Bad input. */
    options.flags = 1u << 20;
    CHECK(twat_cache_fetch(cache, "key", 3, &options, &value, &lease) == TWAT_E_ARG);
    options.flags = 0;
    options.struct_size = 1;
    CHECK(twat_cache_fetch(cache, "key", 3, &options, &value, &lease) == TWAT_E_ARG);
    CHECK(twat_cache_fetch(cache, "key", 3, NULL, NULL, &lease) == TWAT_E_ARG);
    CHECK(twat_cache_fetch(cache, "key", 3, NULL, &value, NULL) == TWAT_E_ARG);
    CHECK(twat_lease_set(NULL, "v", 1, NULL) == TWAT_E_ARG);
    CHECK(twat_lease_fail(NULL, 0) == TWAT_E_ARG && twat_lease_renew(NULL) == TWAT_E_ARG);
    twat_lease_free(NULL);

    /* After close. */
    CHECK(twat_cache_fetch(cache, "key", 3, NULL, &value, &lease) == TWAT_MISS);
    CHECK(twat_cache_close(cache) == TWAT_OK);
    CHECK(twat_lease_set(lease, "value", 5, NULL) == TWAT_E_CLOSED);
    CHECK(strstr(twat_last_error(), "closed") != NULL);
    twat_lease_free(lease);
    return 0;
}

/* The policy for hosts that keep their own objects, as a host drives it. */
#include "check.h"

static twat_policy *policy_of(const char *name, uint64_t max_entries)
{
    twat_config *config = config_of("memory");
    twat_policy *policy = NULL;
    CHECK_STATUS(twat_config_set(config, "policy", name), TWAT_OK);
    CHECK_STATUS(twat_config_set_u64(config, "max_entries", max_entries), TWAT_OK);
    CHECK_STATUS(twat_policy_new(config, &policy), TWAT_OK);
    twat_config_free(config);
    return policy;
}

static uint64_t insert(twat_policy *policy, const uint64_t *hits, size_t n_hits, uint64_t *victim)
{
    static uint64_t fingerprint;
    uint64_t slot = 0, victims[4];
    size_t n = 77;
    CHECK_STATUS(twat_policy_insert(policy, hits, n_hits, ++fingerprint, 1, &slot, victims, 4, &n),
                 TWAT_OK);
    CHECK(slot != 0 && n <= 1);
    *victim = n ? victims[0] : 0;
    return slot;
}

static void lru_is_exact_from_a_log_of_hits(void)
{
    twat_policy *policy = policy_of("lru", 2);
    twat_stats stats = {0};
    uint64_t victim, a, b, c, d;
    CHECK(twat_policy_needs(policy) == TWAT_POLICY_NEEDS_LOG);
    a = insert(policy, NULL, 0, &victim);
    b = insert(policy, NULL, 0, &victim);
    CHECK(victim == 0 && a != b);
    c = insert(policy, &a, 1, &victim);
    CHECK(victim == b);
    CHECK_STATUS(twat_policy_remove(policy, b), TWAT_MISS);
    CHECK_STATUS(twat_policy_hits(policy, (uint64_t[]){c, b, a}, 3), TWAT_OK);
    d = insert(policy, NULL, 0, &victim);
    CHECK(victim == c && d != b);
    CHECK_STATUS(twat_policy_remove(policy, a), TWAT_OK);
    stats.struct_size = sizeof stats;
    CHECK_STATUS(twat_policy_stats(policy, &stats), TWAT_OK);
    CHECK(stats.entries == 1 && stats.evictions == 2 && stats.sets == 4 && stats.deletes == 1);
    CHECK_STATUS(twat_policy_clear(policy), TWAT_OK);
    CHECK_STATUS(twat_policy_remove(policy, d), TWAT_MISS);
    twat_policy_free(policy);
}

static void what_does_not_fit_is_not_admitted(void)
{
    twat_policy *policy = policy_of("none", 1);
    uint64_t victim, slot = 77, victims[1];
    size_t n = 77;
    CHECK(twat_policy_needs(policy) == TWAT_POLICY_NEEDS_NOTHING);
    insert(policy, NULL, 0, &victim);
    CHECK_STATUS(twat_policy_insert(policy, NULL, 0, 9, 1, &slot, victims, 1, &n), TWAT_MISS);
    CHECK(slot == 0 && n == 0);
    twat_policy_free(policy);
}

static void more_victims_than_room_are_fetched(void)
{
    twat_config *config = config_of("memory");
    twat_policy *policy = NULL;
    uint64_t slot, victims[2];
    size_t n, left = 0;
    int32_t status;
    CHECK_STATUS(twat_config_set_u64(config, "max_bytes", 65536), TWAT_OK);
    CHECK_STATUS(twat_policy_new(config, &policy), TWAT_OK);
    twat_config_free(config);
    for (uint64_t i = 0; i < 8; i++)
        CHECK_STATUS(twat_policy_insert(policy, NULL, 0, i, 8192, &slot, victims, 2, &n), TWAT_OK);
    status = twat_policy_insert(policy, NULL, 0, 99, 65536, &slot, victims, 2, &n);
    CHECK_STATUS(status, TWAT_TRUNCATED);
    CHECK(n == 2);
    do {
        left += n;
        status = twat_policy_evicted(policy, victims, 2, &n);
    } while (status == TWAT_TRUNCATED);
    CHECK_STATUS(status, TWAT_OK);
    CHECK(left + n == 8);
    twat_policy_free(policy);
}

/* A host ignores the victims of an insertion that was refused, so none may be handed
 * out there: those of an earlier answer would stay in its dictionary. */
static void a_refused_insertion_takes_no_victims_of_an_earlier_one(void)
{
    twat_config *config = config_of("memory");
    twat_policy *policy = NULL;
    uint64_t slot, victims[16] = {0};
    size_t n;
    CHECK_STATUS(twat_config_set_u64(config, "max_bytes", 65536), TWAT_OK);
    CHECK_STATUS(twat_policy_new(config, &policy), TWAT_OK);
    twat_config_free(config);
    for (uint64_t i = 0; i < 8; i++)
        CHECK_STATUS(twat_policy_insert(policy, NULL, 0, i, 8192, &slot, victims, 2, &n), TWAT_OK);
    CHECK_STATUS(twat_policy_insert(policy, NULL, 0, 99, 65536, &slot, victims, 2, &n),
                 TWAT_TRUNCATED);
    memset(victims, 0, sizeof victims);
    slot = n = 77;
    CHECK_STATUS(twat_policy_insert(policy, NULL, 0, 100, 65537, &slot, victims, 16, &n),
                 TWAT_MISS);
    CHECK(slot == 0 && n == 0 && victims[0] == 0);
    CHECK_STATUS(twat_policy_insert(policy, NULL, 0, 101, 1, &slot, victims, 4, &n),
                 TWAT_TRUNCATED);
    CHECK(slot != 0 && n == 4);
    CHECK_STATUS(twat_policy_evicted(policy, victims, 16, &n), TWAT_OK);
    CHECK(n == 3);
    twat_policy_free(policy);
}

static void a_policy_refuses_what_is_not_its_own(void)
{
    twat_config *config = config_of("memory");
    twat_policy *policy = NULL;
    CHECK_STATUS(twat_config_set(config, "policy", "tinylfu"), TWAT_OK);
    CHECK_FAILS(twat_policy_new(config, &policy), TWAT_E_CONFIG, "tinylfu");
    CHECK_STATUS(twat_config_set(config, "policy", "sieve"), TWAT_OK);
    CHECK_STATUS(twat_config_set_u64(config, "max_entries", 4), TWAT_OK);
    CHECK_STATUS(twat_policy_new(config, &policy), TWAT_OK);
    CHECK(twat_policy_needs(policy) == TWAT_POLICY_NEEDS_MARK);
    twat_policy_free(policy);
    CHECK_STATUS(twat_config_set(config, "compression", "zstd"), TWAT_OK);
    CHECK_FAILS(twat_policy_new(config, &policy), TWAT_E_CONFIG, "compression");
    twat_config_free(config);
}

int main(void)
{
    lru_is_exact_from_a_log_of_hits();
    what_does_not_fit_is_not_admitted();
    more_victims_than_room_are_fetched();
    a_refused_insertion_takes_no_victims_of_an_earlier_one();
    a_policy_refuses_what_is_not_its_own();
    return 0;
}

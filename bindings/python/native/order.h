/* The order of eviction: the core's policy, the hits it has not heard of yet, and the entries by its numbers. */
#ifndef TWAT_ORDER_H
#define TWAT_ORDER_H

#include "entries.h"

struct order {
    struct twat_policy *policy; /* made with the first entry; NULL where nothing is bounded */
    int needs;                  /* TWAT_POLICY_NEEDS_… */
    uint32_t hit_count, hit_room;
    uint64_t *hits;
    struct entry **by_index; /* by the lower half of the slot */
    size_t room;
};

/* Hands over the recorded hits. */
void order_flush(struct order *order, const struct core *core);

/* Makes room for one more hit, by memory or by handing over. */
bool order_room_for_hit(struct order *order, const struct core *core);

static inline void order_record(struct order *order, const struct core *core, struct entry *entry)
{
    if (order->needs == TWAT_POLICY_NEEDS_NOTHING || entry->marked)
        return;
    if (order->hit_count == order->hit_room && !order_room_for_hit(order, core))
        return;
    order->hits[order->hit_count++] = entry->slot;
    entry->marked = order->needs == TWAT_POLICY_NEEDS_MARK;
}

/* Where evicted entries go. */
typedef void (*evict_entry)(void *owner, struct entry *entry);

/* Adds an entry under a policy. False: it was not admitted. Calls `evict` for each that leaves. */
bool order_insert(struct order *order, const struct core *core, struct entry *entry, uint64_t cost, evict_entry evict,
                  void *owner);

/* Forgets an entry that leaves for another reason. */
void order_remove(struct order *order, const struct core *core, struct entry *entry);
void order_clear(struct order *order, const struct core *core);
void order_release(struct order *order, const struct core *core);

#endif

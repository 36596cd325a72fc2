/* Hands hits and insertions to the core's policy. Nothing here runs Python code. */

#include "order.h"

#define HITS_AT_FIRST 32
#define HITS_AT_MOST 1024
#define VICTIMS 16

static inline struct entry *entry_of(const struct order *order, uint64_t slot)
{
    size_t index = (uint32_t)slot;
    struct entry *entry = index < order->room ? order->by_index[index] : NULL;
    return entry != NULL && entry->slot == slot ? entry : NULL;
}

/* The hits are the core's now, so that each entry may be marked again. */
static void forget_hits(struct order *order)
{
    if (order->needs == TWAT_POLICY_NEEDS_MARK)
        for (uint32_t i = 0; i < order->hit_count; i++) {
            struct entry *entry = entry_of(order, order->hits[i]);
            if (entry != NULL)
                entry->marked = false;
        }
    order->hit_count = 0;
}

void order_flush(struct order *order, const struct core *core)
{
    if (order->hit_count > 0)
        core->twat_policy_hits(order->policy, order->hits, order->hit_count);
    forget_hits(order);
}

bool order_room_for_hit(struct order *order, const struct core *core)
{
    if (order->hit_room < HITS_AT_MOST) {
        uint32_t room = order->hit_room == 0 ? HITS_AT_FIRST : order->hit_room * 4;
        room = room > HITS_AT_MOST ? HITS_AT_MOST : room;
        uint64_t *hits = PyMem_Realloc(order->hits, room * sizeof *hits);
        if (hits != NULL) {
            order->hits = hits;
            order->hit_room = room;
            return true;
        }
    }
    order_flush(order, core);
    return order->hit_room > 0;
}

static bool room_for(struct order *order, size_t index)
{
    if (index < order->room)
        return true;
    size_t room = index + 8 + index / 2;
    struct entry **more = PyMem_Realloc(order->by_index, room * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + order->room, 0, (room - order->room) * sizeof *more);
    order->by_index = more;
    order->room = room;
    return true;
}

static void evict_all(struct order *order, const uint64_t *victims, size_t count, evict_entry evict, void *owner)
{
    for (size_t i = 0; i < count; i++) {
        struct entry *gone = entry_of(order, victims[i]);
        if (gone != NULL) {
            order->by_index[(uint32_t)gone->slot] = NULL;
            evict(owner, gone);
        }
    }
}

bool order_insert(struct order *order, const struct core *core, struct entry *entry, uint64_t cost, evict_entry evict,
                  void *owner)
{
    uint64_t victims[VICTIMS];
    size_t count = 0;
    int32_t status = core->twat_policy_insert(order->policy, order->hits, order->hit_count, (uint64_t)entry->hash, cost,
                                              &entry->slot, victims, VICTIMS, &count);
    forget_hits(order);
    /* Not admitted, or a failure: then nothing was added, and the call is one without a cache. */
    if (status != TWAT_OK && status != TWAT_TRUNCATED)
        return false;
    evict_all(order, victims, count, evict, owner);
    while (status == TWAT_TRUNCATED) {
        status = core->twat_policy_evicted(order->policy, victims, VICTIMS, &count);
        if (status == TWAT_OK || status == TWAT_TRUNCATED)
            evict_all(order, victims, count, evict, owner);
    }
    if (!room_for(order, (uint32_t)entry->slot)) {
        core->twat_policy_remove(order->policy, entry->slot);
        return false;
    }
    order->by_index[(uint32_t)entry->slot] = entry;
    return true;
}

void order_remove(struct order *order, const struct core *core, struct entry *entry)
{
    if (order->policy == NULL)
        return;
    core->twat_policy_remove(order->policy, entry->slot);
    if (entry_of(order, entry->slot) == entry)
        order->by_index[(uint32_t)entry->slot] = NULL;
}

void order_clear(struct order *order, const struct core *core)
{
    order->hit_count = 0;
    PyMem_Free(order->by_index);
    order->by_index = NULL;
    order->room = 0;
    if (order->policy != NULL)
        core->twat_policy_clear(order->policy);
}

void order_release(struct order *order, const struct core *core)
{
    PyMem_Free(order->hits);
    PyMem_Free(order->by_index);
    if (order->policy != NULL)
        core->twat_policy_free(order->policy);
    *order = (struct order){0};
}

// The hash table of a live cache: chains of items that never move, so that an
// item is removed and handed on without an allocation that could fail.
#ifndef TWAT_CACHE_LIVE_TABLE_HPP
#define TWAT_CACHE_LIVE_TABLE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bytes.hpp"

namespace twat::detail {

template <class K, class V> struct LiveItem {
    LiveItem(K k, V v, std::uint64_t hash_, std::uint64_t expires_)
        : key(std::move(k)), value(std::move(v)), hash(hash_), expires(expires_)
    {
    }
    LiveItem(const LiveItem&) = delete;
    LiveItem& operator=(const LiveItem&) = delete;
    ~LiveItem() = default;

    const K key;
    V value;
    const std::uint64_t hash;
    LiveItem* next = nullptr; // in its chain
    const std::uint64_t expires; // boot_ms; 0: never
    std::uint64_t slot = 0;      // of the policy
    bool marked = false;         // hit since the policy was last notified
};

// Owns a chain of removed items.
template <class Item> class Removed {
public:
    Removed() noexcept = default;
    Removed(const Removed&) = delete;
    Removed& operator=(const Removed&) = delete;
    ~Removed()
    {
        while (first_ != nullptr) delete std::exchange(first_, first_->next);
    }
    void push(Item* item) noexcept { item->next = std::exchange(first_, item); }
    const Item* first() const noexcept { return first_; }

private:
    Item* first_ = nullptr;
};

template <class K, class V, class Equal> class LiveTable {
public:
    using Item = LiveItem<K, V>;

    LiveTable() : buckets_(16, nullptr) {}
    LiveTable(const LiveTable&) = delete;
    LiveTable& operator=(const LiveTable&) = delete;
    ~LiveTable()
    {
        Removed<Item> all;
        clear(all);
    }

    // std::hash of an integer is the integer: every bit must reach the high ones,
    // which choose the bucket.
    static std::uint64_t mixed(std::size_t hash) noexcept
    {
        std::uint64_t bits = hash;
        bits ^= bits >> 32;
        return bits * std::uint64_t{0x9e3779b97f4a7c15};
    }

    std::size_t size() const noexcept { return size_; }

    Item* find(const K& key, std::uint64_t hash) const
    {
        for (Item* item = buckets_[bucket(hash)]; item != nullptr; item = item->next)
            if (item->hash == hash && Equal()(item->key, key)) return item;
        return nullptr;
    }

    // Makes room for one more item; link cannot fail after it.
    void reserve_one()
    {
        if (size_ < buckets_.size()) return;
        std::vector<Item*> old(2 * buckets_.size(), nullptr);
        old.swap(buckets_);
        shift_--;
        for (Item* first : old)
            while (first != nullptr) {
                Item* item = std::exchange(first, first->next);
                push(item);
            }
    }
    void link(Item* item) noexcept
    {
        push(item);
        size_++;
    }
    void unlink(Item* item) noexcept
    {
        Item** at = &buckets_[bucket(item->hash)];
        while (*at != item) at = &(*at)->next;
        *at = item->next;
        size_--;
    }
    void clear(Removed<Item>& removed) noexcept
    {
        each([&](Item* item) { removed.push(item); });
        for (Item*& first : buckets_) first = nullptr;
        size_ = 0;
    }

    // `visit` may unlink the item.
    template <class Visit> void each(Visit visit)
    {
        for (Item* first : buckets_)
            while (first != nullptr) visit(std::exchange(first, first->next));
    }

private:
    std::size_t bucket(std::uint64_t hash) const noexcept { return as_size(hash >> shift_); }
    void push(Item* item) noexcept { item->next = std::exchange(buckets_[bucket(item->hash)], item); }

    std::vector<Item*> buckets_; // a power of two
    int shift_ = 60;             // 64 less its logarithm
    std::size_t size_ = 0;
};

} // namespace twat::detail

#endif

//! Least frequently used, in constant time (Shah, Mitra, Matani: "An O(1)
//! algorithm for implementing the LFU cache eviction scheme", 2010).

use super::Policy;
use super::list::{List, NIL, Nodes};

/// Slots of one count, the one that reached it first at the front.
#[derive(Default)]
struct Bucket {
    count: u64,
    slots: List,
}

/// The least counted slot leaves; among equals the one that reached its count
/// first.
pub struct Lfu {
    /// The bucket of a slot.
    slots: Nodes<u32>,
    buckets: Nodes<Bucket>,
    /// Buckets by rising count; none is empty.
    order: List,
    unused: Vec<u32>,
    made: u32,
}

impl Lfu {
    pub(super) fn new() -> Self {
        Self {
            slots: Nodes::new(),
            buckets: Nodes::new(),
            order: List::default(),
            unused: Vec::new(),
            made: 0,
        }
    }

    /// The bucket for `count`, which belongs right behind `before`.
    fn bucket_after(&mut self, before: u32, count: u64) -> u32 {
        let next = match before {
            NIL => self.order.front().unwrap_or(NIL),
            _ => self.buckets.next(before),
        };
        if next != NIL && self.buckets.get(next).count == count {
            return next;
        }
        let bucket = self.unused.pop().unwrap_or_else(|| {
            self.made += 1;
            self.made - 1
        });
        self.buckets.put(bucket, Bucket { count, slots: List::default() });
        self.order.insert_after(&mut self.buckets, before, bucket);
        bucket
    }

    fn append(&mut self, bucket: u32, slot: u32) {
        self.slots.put(slot, bucket);
        self.buckets.get_mut(bucket).slots.push_back(&mut self.slots, slot);
    }

    fn detach(&mut self, slot: u32) -> u32 {
        let bucket = *self.slots.get(slot);
        self.buckets.get_mut(bucket).slots.remove(&mut self.slots, slot);
        bucket
    }

    fn drop_if_empty(&mut self, bucket: u32) {
        if self.buckets.get(bucket).slots.is_empty() {
            self.order.remove(&mut self.buckets, bucket);
            self.unused.push(bucket);
        }
    }
}

impl Policy for Lfu {
    fn insert(&mut self, slot: u32, _fingerprint: u64, _cost: u64) {
        let bucket = self.bucket_after(NIL, 1);
        self.append(bucket, slot);
    }

    fn hit(&mut self, slot: u32) {
        let old = self.detach(slot);
        let count = self.buckets.get(old).count.saturating_add(1);
        let new = self.bucket_after(old, count);
        self.append(new, slot);
        self.drop_if_empty(old);
    }

    fn remove(&mut self, slot: u32) {
        let bucket = self.detach(slot);
        self.drop_if_empty(bucket);
    }

    fn victim(&mut self) -> Option<u32> {
        let slot = self.buckets.get(self.order.front()?).slots.front()?;
        self.remove(slot);
        Some(slot)
    }

    fn clear(&mut self) {
        *self = Self::new();
    }
}

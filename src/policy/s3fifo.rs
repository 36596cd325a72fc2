//! S3-FIFO (Yang et al.: "FIFO queues are all you need for cache eviction",
//! SOSP 2023).

use super::Policy;
use super::list::{List, Nodes};
use super::random::mix;
use hashbrown::HashTable;

/// Hits since insertion that carry a slot from the small queue to the main one.
const PROMOTED: u8 = 2;
/// Counts are kept up to here.
const MOST: u8 = 3;

#[derive(Default)]
struct Item {
    fingerprint: u64,
    size: u64,
    hits: u8,
    main: bool,
}

/// A queue: newest at the back.
#[derive(Default)]
struct Queue {
    list: List,
    size: u64,
}

impl Queue {
    fn push(&mut self, items: &mut Nodes<Item>, slot: u32) {
        self.size += items.get(slot).size;
        self.list.push_back(items, slot);
    }

    fn remove(&mut self, items: &mut Nodes<Item>, slot: u32) {
        self.size -= items.get(slot).size;
        self.list.remove(items, slot);
    }
}

/// A small queue filters what is hit too seldom, a main queue keeps the rest,
/// a ghost queue remembers what left the small one.
pub struct S3Fifo {
    items: Nodes<Item>,
    small: Queue,
    main: Queue,
    ghost: Ghost,
    small_share: u64,
    main_share: u64,
    /// Sizes are costs; else each slot is 1.
    by_cost: bool,
    /// The announced fingerprint was found among the ghosts.
    returning: bool,
    /// Something left already. Until then the main queue takes what the small
    /// one has no room for, else a cache would start with nine tenths unused.
    started: bool,
}

impl S3Fifo {
    /// For `capacity` slots, or for slots that together cost so much.
    pub(super) fn new(capacity: u64, by_cost: bool) -> Self {
        let small_share = capacity / 10;
        Self {
            items: Nodes::new(),
            small: Queue::default(),
            main: Queue::default(),
            ghost: Ghost::new(capacity - capacity.div_ceil(10)),
            small_share,
            main_share: capacity - small_share,
            by_cost,
            returning: false,
            started: false,
        }
    }

    fn size(&self, cost: u64) -> u64 {
        if self.by_cost { cost } else { 1 }
    }

    fn queue(&mut self, slot: u32) -> (&mut Queue, &mut Nodes<Item>) {
        let main = self.items.get(slot).main;
        (if main { &mut self.main } else { &mut self.small }, &mut self.items)
    }

    /// Walks the small queue until something leaves or all of it has moved.
    fn victim_of_small(&mut self) -> Option<u32> {
        while let Some(slot) = self.small.list.front() {
            self.small.remove(&mut self.items, slot);
            let item = self.items.get_mut(slot);
            if item.hits < PROMOTED {
                let (fingerprint, size) = (item.fingerprint, item.size);
                self.ghost.push(fingerprint, size);
                return Some(slot);
            }
            (item.hits, item.main) = (0, true);
            self.main.push(&mut self.items, slot);
        }
        None
    }

    /// Counts fall with each round, so the walk ends.
    fn victim_of_main(&mut self) -> Option<u32> {
        while let Some(slot) = self.main.list.front() {
            self.main.remove(&mut self.items, slot);
            let item = self.items.get_mut(slot);
            if item.hits == 0 {
                return Some(slot);
            }
            item.hits -= 1;
            self.main.push(&mut self.items, slot);
        }
        None
    }
}

impl Policy for S3Fifo {
    fn announce(&mut self, fingerprint: u64) {
        self.returning = self.ghost.forget(fingerprint);
    }

    fn insert(&mut self, slot: u32, fingerprint: u64, cost: u64) {
        let overflow = !self.started && self.small.size >= self.small_share;
        let main = std::mem::take(&mut self.returning) || overflow;
        let size = self.size(cost);
        self.items.put(slot, Item { fingerprint, size, hits: 0, main });
        let (queue, items) = self.queue(slot);
        queue.push(items, slot);
    }

    fn hit(&mut self, slot: u32) {
        let item = self.items.get_mut(slot);
        item.hits = (item.hits + 1).min(MOST);
    }

    fn resize(&mut self, slot: u32, cost: u64) {
        let new = self.size(cost);
        let old = std::mem::replace(&mut self.items.get_mut(slot).size, new);
        let (queue, _) = self.queue(slot);
        queue.size = queue.size - old + new;
    }

    fn remove(&mut self, slot: u32) {
        let (queue, items) = self.queue(slot);
        queue.remove(items, slot);
    }

    fn victim(&mut self) -> Option<u32> {
        self.started = true;
        if self.main.size <= self.main_share
            && let Some(slot) = self.victim_of_small()
        {
            return Some(slot);
        }
        self.victim_of_main().or_else(|| self.victim_of_small())
    }

    fn next_victims(&self) -> [Option<u32>; 2] {
        let small = (self.main.size <= self.main_share).then(|| self.small.list.front());
        [small.flatten().or_else(|| self.main.list.front()), None]
    }

    fn clear(&mut self) {
        *self = Self::new(self.small_share + self.main_share, self.by_cost);
    }
}

/// Fingerprints of what left the small queue, oldest dropped first.
struct Ghost {
    items: Nodes<(u64, u64)>,
    list: List,
    index: HashTable<u32>,
    unused: Vec<u32>,
    made: u32,
    size: u64,
    share: u64,
}

impl Ghost {
    fn new(share: u64) -> Self {
        Self {
            items: Nodes::new(),
            list: List::default(),
            index: HashTable::new(),
            unused: Vec::new(),
            made: 0,
            size: 0,
            share,
        }
    }

    fn push(&mut self, fingerprint: u64, size: u64) {
        if size > self.share {
            return;
        }
        self.forget(fingerprint);
        while self.size.saturating_add(size) > self.share
            && let Some(oldest) = self.list.front()
        {
            self.forget(self.items.get(oldest).0);
        }
        let place = self.unused.pop().unwrap_or_else(|| {
            self.made += 1;
            self.made - 1
        });
        self.items.put(place, (fingerprint, size));
        self.list.push_back(&mut self.items, place);
        self.size += size;
        let items = &self.items;
        self.index.insert_unique(mix(fingerprint), place, |place| mix(items.get(*place).0));
    }

    /// Drops a fingerprint; whether it was there.
    fn forget(&mut self, fingerprint: u64) -> bool {
        let items = &self.items;
        let same = |place: &u32| items.get(*place).0 == fingerprint;
        let Ok(found) = self.index.find_entry(mix(fingerprint), same) else { return false };
        let (place, _) = found.remove();
        self.size -= self.items.get(place).1;
        self.list.remove(&mut self.items, place);
        self.unused.push(place);
        true
    }
}

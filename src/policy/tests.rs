//! Each policy against the plainest form of itself, over random operations.

use super::random::SplitMix64;
use super::*;

const NAMES: [&str; 8] = ["lru", "mru", "fifo", "lifo", "lfu", "rr", "sieve", "s3fifo"];

fn policy(name: &str, entries: u64) -> AnyPolicy {
    let bounds = Bounds { entries: Some(entries), bytes: None };
    AnyPolicy::new(name, bounds, 7).expect("a known name")
}

/// Slots with their hits, oldest first; what leaves is searched for.
#[derive(Default)]
struct Plain {
    order: Vec<(u32, u64)>,
    hand: Option<u32>,
}

impl Plain {
    fn place(&self, slot: u32) -> usize {
        self.order.iter().position(|(other, _)| *other == slot).expect("present")
    }

    fn hit(&mut self, name: &str, slot: u32) {
        let place = self.place(slot);
        self.order[place].1 += 1;
        if matches!(name, "lru" | "mru" | "lfu") {
            let moved = self.order.remove(place);
            self.order.push(moved);
        }
    }

    fn remove(&mut self, slot: u32) {
        let place = self.place(slot);
        if self.hand == Some(slot) {
            self.hand = self.order.get(place + 1).map(|(slot, _)| *slot);
        }
        self.order.remove(place);
    }

    fn victim(&mut self, name: &str) -> Option<u32> {
        let last = self.order.len().checked_sub(1)?;
        let place = match name {
            "lru" | "fifo" => 0,
            "mru" | "lifo" => last,
            // The order is that of the last hit, so the first of the least
            // counted is the one that reached its count first.
            "lfu" => (0..=last).min_by_key(|place| (self.order[*place].1, *place))?,
            "sieve" => {
                let mut place = self.hand.map_or(0, |slot| self.place(slot));
                while self.order[place].1 > 0 {
                    self.order[place].1 = 0;
                    place = if place == last { 0 } else { place + 1 };
                }
                self.hand = Some(self.order[place].0);
                place
            }
            other => panic!("no plain form of {other}"),
        };
        let slot = self.order[place].0;
        self.remove(slot);
        Some(slot)
    }
}

#[test]
fn every_exact_policy_evicts_what_its_plain_form_evicts() {
    for name in ["lru", "mru", "fifo", "lifo", "lfu", "sieve"] {
        let (mut real, mut plain) = (policy(name, 50), Plain::default());
        let mut random = SplitMix64::new(1);
        for step in 0..20_000 {
            let slot = random.below(100) as u32;
            let present = plain.order.iter().any(|(other, _)| *other == slot);
            match random.below(10) {
                0 if present => {
                    real.remove(slot);
                    plain.remove(slot);
                }
                1 | 2 => assert_eq!(real.victim(), plain.victim(name), "{name}, step {step}"),
                _ if present => {
                    real.hit(slot);
                    plain.hit(name, slot);
                }
                _ => {
                    real.announce(u64::from(slot));
                    real.insert(slot, u64::from(slot), 1);
                    plain.order.push((slot, 0));
                }
            }
        }
    }
}

#[test]
fn every_policy_gives_back_each_slot_once() {
    for name in NAMES {
        let mut real = policy(name, 64);
        let mut present = std::collections::BTreeSet::new();
        let mut random = SplitMix64::new(2);
        for step in 0..20_000 {
            let slot = random.below(200) as u32;
            if random.below(3) == 0 && present.remove(&slot) {
                real.remove(slot);
            } else if present.contains(&slot) {
                real.hit(slot);
                real.resize(slot, 3);
            } else {
                real.announce(u64::from(slot));
                while present.len() >= 64 {
                    let victim = real.victim().expect("it is full");
                    assert!(present.remove(&victim), "{name}, step {step}: {victim}");
                }
                real.insert(slot, u64::from(slot), 1);
                present.insert(slot);
            }
        }
        while let Some(victim) = real.victim() {
            assert!(present.remove(&victim), "{name}: {victim} left twice");
        }
        assert!(present.is_empty(), "{name} lost {present:?}");
    }
}

#[test]
fn s3fifo_by_cost_keeps_its_sizes_when_entries_grow_and_shrink() {
    let bounds = Bounds { entries: None, bytes: Some(1000) };
    let mut real = AnyPolicy::new("s3fifo", bounds, 0).expect("a known name");
    let mut costs = std::collections::BTreeMap::new();
    let mut random = SplitMix64::new(3);
    for _ in 0..20_000 {
        let (slot, cost) = (random.below(100) as u32, random.below(100) as u64);
        if costs.contains_key(&slot) {
            real.resize(slot, cost);
            real.hit(slot);
        } else {
            real.announce(u64::from(slot));
            real.insert(slot, u64::from(slot), cost);
        }
        costs.insert(slot, cost);
        while costs.values().sum::<u64>() > 1000 {
            let victim = real.victim().expect("something is there");
            assert!(costs.remove(&victim).is_some());
        }
    }
}

#[test]
fn rr_chooses_by_its_seed() {
    let victims = |seed| {
        let bounds = Bounds { entries: Some(100), bytes: None };
        let mut real = AnyPolicy::new("rr", bounds, seed).expect("a known name");
        (0..100).for_each(|slot| real.insert(slot, 0, 1));
        std::iter::from_fn(|| real.victim()).collect::<Vec<_>>()
    };
    assert_eq!(victims(1), victims(1));
    assert_ne!(victims(1), victims(2));
}

#[test]
fn a_host_policy_takes_costs_and_bounds_up_to_the_whole_of_64_bits() {
    use crate::config::Config;
    for name in NAMES.into_iter().chain(["none"]) {
        for (option, most) in [("max_bytes", u64::MAX), ("max_bytes", 1 << 63), ("max_entries", 3)]
        {
            let mut config = Config::new("memory").expect("an engine");
            config.set("policy", name).expect("a policy");
            config.set_u64(option, most).expect("a bound");
            let mut policy = host::HostPolicy::new(&config).expect("options that fit");
            let mut live = std::collections::BTreeSet::new();
            for n in 0..200_u64 {
                let cost =
                    [1, u64::MAX / 2, u64::MAX, 1 << 63, 0, u64::MAX / 5 * 4][n as usize % 6];
                let Some(slot) = policy.insert(n % 9, cost) else { continue };
                while let Some(victim) = policy.next_evicted() {
                    assert!(live.remove(&victim), "{name}");
                }
                assert!(live.insert(slot));
                policy.hits(&[slot, 0, u64::MAX]);
                assert_eq!(policy.stats().engine.entries, live.len() as u64);
            }
            for slot in live {
                assert!(policy.remove(slot) && !policy.remove(slot));
            }
        }
    }
}

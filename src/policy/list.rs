//! Doubly linked lists threaded through a table that is indexed by slot: the
//! one building block of the policies. No allocation an entry, no unsafe.

use crate::mem::prefetch::prefetch;

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

struct Node<T> {
    prev: u32,
    next: u32,
    data: T,
}

/// What a policy keeps for each slot. A slot is on at most one list.
pub(super) struct Nodes<T>(Vec<Node<T>>);

impl<T: Default> Nodes<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets what is kept for a slot, making room up to it.
    pub(super) fn put(&mut self, slot: u32, data: T) {
        let index = slot as usize;
        grow(&mut self.0, index + 1, || Node { prev: NIL, next: NIL, data: T::default() });
        self.0[index].data = data;
    }

    pub(super) fn get(&self, slot: u32) -> &T {
        &self.0[slot as usize].data
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut T {
        &mut self.0[slot as usize].data
    }

    /// The neighbour towards the front, or [`NIL`].
    pub(super) fn prev(&self, slot: u32) -> u32 {
        self.0[slot as usize].prev
    }

    /// The neighbour towards the back, or [`NIL`].
    pub(super) fn next(&self, slot: u32) -> u32 {
        self.0[slot as usize].next
    }

    fn link(&mut self, before: u32, after: u32) {
        if before != NIL {
            self.0[before as usize].next = after;
        }
        if after != NIL {
            self.0[after as usize].prev = before;
        }
    }
}

/// The two ends of a list.
#[derive(Clone, Copy)]
pub(super) struct List {
    front: u32,
    back: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { front: NIL, back: NIL }
    }
}

impl List {
    pub(super) fn front(&self) -> Option<u32> {
        (self.front != NIL).then_some(self.front)
    }

    pub(super) fn back(&self) -> Option<u32> {
        (self.back != NIL).then_some(self.back)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front == NIL
    }

    /// Puts a slot that is on no list behind `before` ([`NIL`]: to the front).
    pub(super) fn insert_after<T: Default>(
        &mut self,
        nodes: &mut Nodes<T>,
        before: u32,
        slot: u32,
    ) {
        let after = if before == NIL { self.front } else { nodes.next(before) };
        nodes.0[slot as usize].prev = before;
        nodes.0[slot as usize].next = after;
        nodes.link(before, slot);
        nodes.link(slot, after);
        if before == NIL {
            self.front = slot;
        }
        if after == NIL {
            self.back = slot;
        }
    }

    pub(super) fn push_front<T: Default>(&mut self, nodes: &mut Nodes<T>, slot: u32) {
        self.insert_after(nodes, NIL, slot);
    }

    pub(super) fn push_back<T: Default>(&mut self, nodes: &mut Nodes<T>, slot: u32) {
        self.insert_after(nodes, self.back, slot);
    }

    pub(super) fn remove<T: Default>(&mut self, nodes: &mut Nodes<T>, slot: u32) {
        let (prev, next) = (nodes.prev(slot), nodes.next(slot));
        nodes.link(prev, next);
        if prev == NIL {
            self.front = next;
        }
        if next == NIL {
            self.back = prev;
        }
    }
}

/// Neighbours in a ring, by place.
#[derive(Clone, Copy, Default)]
struct Link {
    prev: u32,
    next: u32,
}

/// One list of slots: all that the simplest policies need. It is a ring, so
/// that no step asks whether there is a neighbour: place 0 joins back and
/// front, and a slot's place is one more than its number.
pub(super) struct Order(Vec<Link>);

const JOINT: u32 = 0;

impl Order {
    pub(super) fn new() -> Self {
        Self(vec![Link::default()])
    }

    pub(super) fn insert_front(&mut self, slot: u32) {
        grow(&mut self.0, slot as usize + 2, Link::default);
        self.link_front(slot + 1);
    }

    #[inline]
    pub(super) fn move_to_front(&mut self, slot: u32) {
        self.move_all_to_front(&[slot]);
    }

    /// Moves one after the other. What is moved lies far apart: all that will
    /// be written to is fetched first, or it would be waited for each time.
    pub(super) fn move_all_to_front(&mut self, slots: &[u32]) {
        let links = &mut self.0[..];
        if slots.len() > 1 {
            for slot in slots {
                let Link { prev, next } = links[*slot as usize + 1];
                for place in [prev, next] {
                    prefetch((&raw const links[place as usize]).addr());
                }
            }
        }
        let mut front = links[JOINT as usize].next;
        for slot in slots {
            let place = slot + 1;
            if place == front {
                continue;
            }
            let Link { prev, next } = links[place as usize];
            links[prev as usize].next = next;
            links[next as usize].prev = prev;
            links[front as usize].prev = place;
            links[place as usize] = Link { prev: JOINT, next: front };
            front = place;
        }
        links[JOINT as usize].next = front;
    }

    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        let Link { prev, next } = self.0[slot as usize + 1];
        self.0[prev as usize].next = next;
        self.0[next as usize].prev = prev;
    }

    #[inline]
    fn link_front(&mut self, place: u32) {
        let front = std::mem::replace(&mut self.0[JOINT as usize].next, place);
        self.0[front as usize].prev = place;
        self.0[place as usize] = Link { prev: JOINT, next: front };
    }

    pub(super) fn front(&self) -> Option<u32> {
        self.0[JOINT as usize].next.checked_sub(1)
    }

    pub(super) fn back(&self) -> Option<u32> {
        self.0[JOINT as usize].prev.checked_sub(1)
    }

    /// The two at the front. The link of the second is fetched, for who asks
    /// when it has become the first.
    pub(super) fn first_two(&self) -> [Option<u32>; 2] {
        self.two(|link| link.next)
    }

    /// The same at the back.
    pub(super) fn last_two(&self) -> [Option<u32>; 2] {
        self.two(|link| link.prev)
    }

    fn two(&self, after: impl Fn(&Link) -> u32) -> [Option<u32>; 2] {
        let first = after(&self.0[JOINT as usize]);
        let second = after(&self.0[first as usize]);
        prefetch((&raw const self.0[second as usize]).addr());
        [first.checked_sub(1), second.checked_sub(1)]
    }

    pub(super) fn pop_front(&mut self) -> Option<u32> {
        self.front().inspect(|slot| self.remove(*slot))
    }

    pub(super) fn pop_back(&mut self) -> Option<u32> {
        self.back().inspect(|slot| self.remove(*slot))
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }
}

/// Lengthens a table that is indexed by slots or places to at least `len`.
fn grow<T>(table: &mut Vec<T>, len: usize, empty: impl FnMut() -> T) {
    if table.len() < len {
        let missing = len - table.len();
        if table.capacity() - table.len() < missing {
            // An eighth instead of Vec's doubling: the slack would count
            // against every entry.
            table.reserve_exact(missing.max(table.len() / 8 + 16));
        }
        table.resize_with(len, empty);
    }
}

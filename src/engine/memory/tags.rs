//! Tags: each has a version, which an entry remembers; raising it makes every
//! entry that carries the tag a miss, however many there are.

use crate::base::error::Result;
use crate::mem::lock::Lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Tag {
    name: Box<[u8]>,
    version: AtomicU64,
}

/// A tag as an entry carries it.
pub(super) struct Mark {
    tag: Arc<Tag>,
    version: u64,
}

impl Mark {
    /// Whether the tag was not invalidated since.
    pub(super) fn holds(&self) -> bool {
        self.tag.version.load(Ordering::Acquire) == self.version
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.tag.name
    }
}

#[derive(Default)]
struct Known {
    tags: HashMap<Box<[u8]>, Arc<Tag>>,
    /// Tags that no entry carries any more are dropped at this many.
    sift_at: usize,
}

/// The tags of a cache.
#[derive(Default)]
pub(super) struct Tags {
    known: Lock<Known>,
    /// Raised by each invalidation: tells sweepers that there may be work.
    generation: AtomicU64,
}

/// Below this many tags nobody looks for unused ones.
const SIFT_MIN: usize = 64;

impl Tags {
    /// The marks of an entry that is being put now.
    pub(super) fn marks(&self, names: &[&[u8]]) -> Result<Box<[Mark]>> {
        if names.is_empty() {
            return Ok(Box::default());
        }
        let mut known = self.known.lock()?;
        let marks = names.iter().map(|name| {
            let tag = known.tag(name);
            Mark { version: tag.version.load(Ordering::Acquire), tag }
        });
        Ok(marks.collect())
    }

    /// Raises the version of a tag; false where nobody carries it.
    pub(super) fn invalidate(&self, name: &[u8]) -> Result<bool> {
        let known = self.known.lock()?;
        let Some(tag) = known.tags.get(name) else { return Ok(false) };
        tag.version.fetch_add(1, Ordering::AcqRel);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(true)
    }

    /// Raised by each invalidation.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

impl Known {
    fn tag(&mut self, name: &[u8]) -> Arc<Tag> {
        if let Some(tag) = self.tags.get(name) {
            return Arc::clone(tag);
        }
        if self.tags.len() >= self.sift_at.max(SIFT_MIN) {
            self.tags.retain(|_, tag| Arc::strong_count(tag) > 1);
            self.sift_at = 2 * self.tags.len();
        }
        let tag = Arc::new(Tag { name: name.into(), version: AtomicU64::new(0) });
        self.tags.insert(name.into(), Arc::clone(&tag));
        tag
    }
}

//! Leases of a store's keys: which words a write raises.

use super::Disk;
use super::keys::StoredKey;
use crate::base::error::Result;
use crate::files::Seen;
use crate::files::words::Page;
use crate::lease::{LeaseHome, Spot};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

impl Disk {
    pub(super) fn lease_home(&self) -> Result<LeaseHome> {
        Ok(LeaseHome::Store(Arc::clone(self.shared.leases()?)))
    }

    pub(super) fn spot_of(&self, key: &[u8]) -> Spot {
        let stored = StoredKey::new(&self.namespace, key);
        // The stored key may be a hash; the name is the whole one.
        let len = u8::try_from(self.namespace.len()).unwrap_or(u8::MAX);
        let name = [&[len][..], &self.namespace, key].concat();
        Spot { name, hash: xxh3_64(&stored), namespace: xxh3_64(&self.namespace) }
    }

    #[inline]
    fn page(&self) -> Option<&Page> {
        let between = self.shared.leases().ok()?.between.as_ref()?;
        Some(between.page())
    }

    /// Whether a lease is still good. Call within the write transaction.
    pub(super) fn is_as(&self, seen: &Seen) -> bool {
        self.page().is_some_and(|page| page.is_as(seen))
    }

    /// Makes the lease of a stored key void. Call within the write transaction.
    #[inline]
    pub(super) fn void_key(&self, stored: &[u8]) {
        if let Some(page) = self.page() {
            page.raise_key(xxh3_64(stored));
        }
    }

    /// Makes all leases of the namespace void. Call within the write transaction.
    pub(super) fn void_namespace(&self) {
        if let Some(page) = self.page() {
            page.raise_namespace(xxh3_64(&self.namespace));
        }
    }
}

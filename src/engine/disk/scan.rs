//! Scans: keys in batches, with no transaction held between two of them.

use super::keys::{self, HASHED, REAL};
use super::{Disk, ScanState};
use crate::base::error::Result;
use crate::format::envelope;
use std::ops::ControlFlow;

/// Rows looked at in one snapshot.
const BATCH: usize = 256;

impl Disk {
    /// The next keys: real ones in order, then those whose row has a hash.
    pub(super) fn scan_batch(
        &self,
        prefix: &[u8],
        state: &mut ScanState,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        let kind = if state.part == 0 { REAL } else { HASHED };
        let mut range = keys::range(kind, &self.namespace);
        let namespace_len = range.len();
        if kind == REAL {
            range.extend_from_slice(prefix);
        }
        let mut next = None;
        if range.len() <= keys::MAX_STORED {
            let from = if state.last.is_empty() { range.clone() } else { state.last.clone() };
            let (mut seen, txn) = (0, self.env.read()?);
            txn.walk(self.shared.db.entries, &from, &mut |stored, bytes| {
                if !stored.starts_with(&range) {
                    return Ok(ControlFlow::Break(()));
                }
                if seen == BATCH {
                    next = Some(stored.to_vec());
                    return Ok(ControlFlow::Break(()));
                }
                seen += 1;
                let Ok((_, key, envelope)) = envelope::split(bytes) else {
                    return Ok(ControlFlow::Continue(()));
                };
                let key = if kind == REAL { &stored[namespace_len..] } else { key };
                if key.starts_with(prefix)
                    && self.is_live(&envelope, |key| txn.get(self.shared.db.tags, key))?
                {
                    out.push(key.to_vec());
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        match next {
            Some(next) => state.last = next,
            None => {
                state.last.clear();
                state.done = state.part == 1;
                state.part = 1;
            }
        }
        Ok(())
    }
}

//! One path from a root to a leaf, for a look without a whole walk. Nothing
//! about the file is known: a page that is not what it should be ends the path.

use super::Source;
use super::page::{self, *};
use super::tree::MAX_DEPTH;
use std::io;

/// A file and the geometry that its meta page gives it.
pub struct Paths<'a, S: Source + ?Sized> {
    source: &'a S,
    length: u64,
    page_size: u32,
    last_page: u64,
}

impl<'a, S: Source + ?Sized> Paths<'a, S> {
    /// `meta` has passed the checks of the caller.
    pub fn new(source: &'a S, length: u64, meta: &Meta) -> Self {
        Self { source, length, page_size: meta.page_size, last_page: meta.last_page }
    }

    /// The value of a key, where the leaf itself holds it.
    pub fn value(&self, db: &Db, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        // The first key of a branch page stands for everything before the second.
        let child =
            |nodes: &[Node<'_>]| nodes.iter().skip(1).take_while(|node| node.key <= key).count();
        self.follow(db, child, |nodes| {
            let found = nodes.iter().find(|node| node.key == key && node.flags == 0)?;
            Some(found.data.to_vec())
        })
    }

    /// The last key.
    pub fn last_key(&self, db: &Db) -> io::Result<Option<Vec<u8>>> {
        self.follow(
            db,
            |nodes| nodes.len().saturating_sub(1),
            |nodes| Some(nodes.last()?.key.to_vec()),
        )
    }

    /// `child` picks a node of a branch page, `take` what is wanted of the leaf.
    fn follow<T>(
        &self,
        db: &Db,
        child: impl Fn(&[Node<'_>]) -> usize,
        take: impl FnOnce(&[Node<'_>]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let size = u64::from(self.page_size);
        let mut bytes = vec![0; self.page_size as usize];
        let mut number = db.root;
        for level in 1..=db.depth.min(MAX_DEPTH) {
            let leaf = level == db.depth;
            if number > self.last_page
                || number.saturating_add(1).saturating_mul(size) > self.length
            {
                return Ok(None);
            }
            match self.source.read_exact_at(&mut bytes, number * size) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                read => read?,
            }
            let expected = if leaf { P_LEAF } else { P_BRANCH };
            if u16_at(&bytes, 10) != expected || u64_at(&bytes, 0) != number {
                return Ok(None);
            }
            let Ok(nodes) = page::nodes(&bytes, !leaf) else { return Ok(None) };
            if leaf {
                return Ok(take(&nodes));
            }
            let Some(next) = nodes.get(child(&nodes)) else { return Ok(None) };
            number = next.child;
        }
        Ok(None)
    }
}

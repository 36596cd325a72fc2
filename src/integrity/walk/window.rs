//! Pages read in large pieces: one system call for each would be most of the
//! time of a walk over a file that is cached, and a seek each over one that is not.

use super::Source;
use std::io;

/// Bytes read at a time: more would not stay in a processor's own cache.
const PIECE: u64 = 1 << 17;
/// Pages that are read although nobody asked for them, between two that are.
const GAP: u64 = 4;

/// A run of pages of the file.
pub struct Window {
    page_size: u64,
    /// Whole pages of the file.
    pages: u64,
    first: u64,
    held: u64,
    bytes: Vec<u8>,
}

impl Window {
    pub fn new(page_size: usize, length: u64) -> Self {
        let page_size = page_size as u64;
        Self { page_size, pages: length / page_size, first: 0, held: 0, bytes: Vec::new() }
    }

    /// A page within the file, read together with those that follow it closely:
    /// `following` are the pages asked for next, in rising order.
    pub fn page<S: Source + ?Sized>(
        &mut self,
        source: &S,
        page: u64,
        following: impl Iterator<Item = u64>,
    ) -> io::Result<&[u8]> {
        if page < self.first || page - self.first >= self.held {
            let most = (PIECE / self.page_size).max(1);
            let mut last = page;
            for next in following {
                if next >= self.pages || next - last > GAP || next - page >= most {
                    break;
                }
                last = next;
            }
            self.held = 0;
            let length = ((last - page + 1) * self.page_size) as usize;
            if self.bytes.len() < length {
                self.bytes.resize(length, 0);
            }
            source.read_exact_at(&mut self.bytes[..length], page * self.page_size)?;
            (self.first, self.held) = (page, last - page + 1);
        }
        let at = ((page - self.first) * self.page_size) as usize;
        Ok(&self.bytes[at..at + self.page_size as usize])
    }
}

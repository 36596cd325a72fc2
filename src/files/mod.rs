//! Files and directories: those that users name, and a store's own.

#[cfg(unix)]
pub mod blobs;
#[cfg(unix)]
pub mod blocks;
#[cfg(unix)]
pub mod dirs;
pub mod names;
#[cfg(unix)]
pub mod words;

use crate::base::error::{Code, Error, Result};
use crate::base::os::open_at_once;
use std::fs::File;
use std::io;
use std::path::Path;

/// Words that processes share, as they were: a key's and a namespace's, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    key: (usize, u32),
    namespace: (usize, u32),
}

/// LMDB's data file.
pub const DATA: &str = "data.mdb";
/// LMDB's table of readers and its mutexes, mapped by each of its users.
pub const LOCK: &str = "lock.mdb";

/// Opens a file of a store for reading.
///
/// # Errors
/// Those of the system; `InvalidData` for what is no regular file.
pub fn open_own(path: &Path) -> io::Result<File> {
    let file = open_at_once(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let text = "expected a file (a regular one), got something else";
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// Whether a path names a file beside the data of a store.
pub fn is_in_a_store(path: &Path) -> bool {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    parent.join(DATA).exists() && parent.join(LOCK).exists()
}

/// Opens a regular file for reading; returns its length too. Nothing else is
/// waited for or read: a FIFO would hang, a device might never end.
///
/// # Errors
/// `Io` for a file that cannot be opened or is not a regular one.
pub fn open_regular(path: &Path) -> Result<(File, u64)> {
    let reading = |error: io::Error| Error::io(format_args!("reading {}", path.display()), &error);
    let file = open_at_once(path).map_err(reading)?;
    let found = file.metadata().map_err(reading)?;
    if !found.is_file() {
        return Err(not_regular(path));
    }
    Ok((file, found.len()))
}

/// The error for what is no regular file.
pub fn not_regular(path: &Path) -> Error {
    let text = format!("{}: expected a file (a regular one), got something else", path.display());
    Error::new(Code::Io, text)
}

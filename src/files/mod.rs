//! Files and directories: those that users name, and a store's own.

pub mod blobs;
pub mod blocks;

use crate::base::error::{Code, Error, Result};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// LMDB's data file.
pub const DATA: &str = "data.mdb";

/// Opens a file for reading without waiting for anything: a FIFO would hang.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

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
    parent.join(DATA).exists() && parent.join(blocks::LOCK).exists()
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

/// Makes a directory with these permissions, whatever the umask; one that is
/// there stays as it is. Bits that it inherits, setgid above all, are kept.
///
/// # Errors
/// Those of the system.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode & 0o777).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            set_dir_mode(path, mode);
            Ok(())
        }
    }
}

/// Gives a directory that was just made its permissions beside what it
/// inherits. A failure leaves tighter ones.
pub fn set_dir_mode(path: &Path, mode: u32) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(dir) = rustix::fs::open(path, flags, Mode::empty()) else { return };
    let dir = File::from(dir);
    let Ok(found) = dir.metadata() else { return };
    let found = found.permissions().mode() & 0o7777;
    let wanted = mode | (found & 0o7000);
    if found != wanted {
        let _ = dir.set_permissions(fs::Permissions::from_mode(wanted));
    }
}

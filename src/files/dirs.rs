//! Directories of a store with their permissions.

use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

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

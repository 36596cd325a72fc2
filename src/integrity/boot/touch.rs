//! Keeping cleaners away that go by age (`find -mtime`, systemd-tmpfiles,
//! tmpreaper): a store that is in use has files that nothing writes to again.

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use std::fs::{File, Metadata};
use std::path::Path;
use std::time::Duration;

/// Files that are younger are left alone.
pub const HOUR: Duration = Duration::from_secs(3600);
/// For the data file of a store that others have open: the touch makes the next
/// one that opens it alone verify it, if nobody wrote meanwhile.
pub const DAY: Duration = Duration::from_secs(86_400);

fn is_older(found: &Metadata, age: Duration) -> bool {
    found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed > age))
}

fn now() -> Timestamps {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Timestamps { last_access: now, last_modification: now }
}

/// Touches an open data file that is older; true if that was done.
pub fn data(data: &File, age: Duration) -> bool {
    data.metadata().is_ok_and(|found| is_older(&found, age))
        && rustix::fs::futimens(data, &now()).is_ok()
}

/// Touches what must live of a store. What cannot be touched was another user's.
pub fn files(dir: &Path, names: &[&str]) {
    for path in names.iter().map(|name| dir.join(name)) {
        if std::fs::symlink_metadata(&path).is_ok_and(|found| is_older(&found, HOUR)) {
            let _ = rustix::fs::utimensat(CWD, &path, &now(), AtFlags::SYMLINK_NOFOLLOW);
        }
    }
}

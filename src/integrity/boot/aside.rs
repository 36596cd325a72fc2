//! Setting a damaged store aside, so that a fresh one can begin.

use super::decide::Alone;
use super::mark::Mark;
use super::{DATA, Decision, MARK};
use crate::base::error::{Code, Error, Result};
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Stores set aside that are kept in a place.
const KEPT: usize = 3;

/// Moves everything but the mark out of the directory: next to it, or into it
/// where its parent cannot be written.
pub(super) fn aside(alone: &Alone<'_>, why: String) -> Result<Decision> {
    let Alone { dir, mark, read_only, .. } = *alone;
    let failed = |what: &str| {
        let text = format!("store {} is damaged ({why}) and {what}", dir.display());
        Error::new(Code::Corrupt, text)
    };
    if read_only {
        return Err(failed("cannot be set aside: it was opened read-only"));
    }
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let to = move_data(&dir).map_err(|e| failed(&format!("cannot be set aside: {e}")))?;
    for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name != MARK && !name.as_encoded_bytes().starts_with(b"corrupt-") {
            // What stays behind is swept as an orphan.
            let _ = std::fs::rename(entry.path(), to.join(&name));
        }
    }
    prune(&dir);
    if let Some(file) = mark {
        alone.write(&Mark::empty(), file)?;
    }
    Ok(Decision::SetAside { to, why })
}

/// Moves the data file into `<dir>.corrupt-<seconds>`, or, where that cannot be
/// (a parent of somebody else, a mount point), `<dir>/corrupt-<seconds>`. It goes
/// first: a store without it is a fresh one, whatever else is left.
fn move_data(dir: &Path) -> io::Result<PathBuf> {
    let mut beside = dir.as_os_str().to_owned();
    beside.push(".corrupt-");
    let inside = dir.join("corrupt-").into_os_string();
    move_data_under(dir, &beside).or_else(|_| move_data_under(dir, &inside))
}

fn move_data_under(dir: &Path, stem: &OsStr) -> io::Result<PathBuf> {
    let seconds = crate::base::clock::unix_ms() / 1000;
    for n in 0..1000 {
        let mut name = stem.to_owned();
        name.push(if n == 0 { format!("{seconds}") } else { format!("{seconds}-{n}") });
        match std::fs::DirBuilder::new().mode(0o700).create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            created => created?,
        }
        let to = PathBuf::from(name);
        return match std::fs::rename(dir.join(DATA), to.join(DATA)) {
            Ok(()) => Ok(to),
            Err(error) => std::fs::remove_dir(&to).and(Err(error)),
        };
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Removes the oldest of the stores that were set aside before. They are kept
/// for who wants to look into them; but each is as large as a store may be, and
/// a medium that goes on damaging stores would fill itself.
fn prune(dir: &Path) {
    if let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) {
        let mut stem = name.to_owned();
        stem.push(".corrupt-");
        prune_under(parent, &stem);
    }
    prune_under(dir, OsStr::new("corrupt-"));
}

fn prune_under(place: &Path, stem: &OsStr) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| is_set_aside(&entry.file_name(), stem))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort_unstable_by(|one, other| other.cmp(one));
    for (_, path) in found.into_iter().skip(KEPT) {
        // One that cannot be removed is in nobody's way but the disk's.
        let _ = std::fs::remove_dir_all(path);
    }
}

/// Whether [`move_data_under`] gives such names: the seconds, or the seconds
/// and a number.
fn is_set_aside(name: &OsStr, stem: &OsStr) -> bool {
    let Some(rest) = name.as_encoded_bytes().strip_prefix(stem.as_encoded_bytes()) else {
        return false;
    };
    let number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = rest.splitn(2, |byte| *byte == b'-');
    parts.all(number)
}

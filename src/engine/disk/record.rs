//! Whose directory it is, and in which format: the file `version`, and the row
//! of totals in the data itself, which outlives it.

use super::totals::{FORMAT, Reading, Totals};
use crate::base::error::{Code, Error, Result};
use crate::files::DATA;
use crate::files::open_own;
use crate::integrity::walk;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The file that says whose directory it is and in which format.
pub const RECORD: &str = "version";
const WORD: &str = "twat-cache";
/// How often the totals are looked for while others write.
const LOOKS: usize = 20;

/// What a directory with data says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// This format.
    Ours,
    /// The data is ours; the file that says so is gone or damaged.
    Lost,
}

/// What the file says.
enum Said {
    Nothing,
    Format(u64),
    SomethingElse,
}

/// A store that this library cannot read and therefore leaves alone.
pub fn other_format(dir: &Path, found: u64) -> Error {
    let whose = if found > FORMAT {
        "a newer version of the library wrote it"
    } else {
        "a version before 3.0.0 wrote it; to start anew, delete the directory or choose another path"
    };
    let dir = dir.display();
    let text = format!("the store in {dir} ({whose}): expected format {FORMAT}, found: {found}");
    Error::new(Code::Version, text)
}

/// Refuses a directory without data whose record names another format.
pub fn verify_new(dir: &Path) -> Result<()> {
    match read(dir)? {
        Said::Nothing | Said::Format(FORMAT) => Ok(()),
        Said::Format(format) => Err(other_format(dir, format)),
        Said::SomethingElse => Err(not_a_record(dir)),
    }
}

/// Refuses a directory whose data is in another format, or written by another
/// program. Nothing of it is touched.
pub fn verify(dir: &Path) -> Result<Record> {
    let said = read(dir)?;
    let looks = if matches!(said, Said::Format(_)) { 1 } else { LOOKS };
    let totals = totals(dir, looks)?;
    if let Some(Reading::Other(format)) = totals {
        return Err(other_format(dir, format));
    }
    let lost = totals.is_some_and(|totals| matches!(totals, Reading::Ours(_)));
    match said {
        Said::Format(FORMAT) => Ok(Record::Ours),
        Said::Format(format) => Err(other_format(dir, format)),
        _ if lost || is_empty(dir) => Ok(Record::Lost),
        Said::SomethingElse => Err(not_a_record(dir)),
        Said::Nothing => Err(Error::new(
            Code::Config,
            format!(
                "path: {} holds a {DATA} but no '{RECORD}' file: \
                 expected a store of twat-cache or an empty directory",
                dir.display()
            ),
        )),
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::metadata(dir.join(DATA)).is_ok_and(|found| found.len() == 0)
}

/// The row of totals, read from the file itself: LMDB must not open what may not
/// be ours. While others write, a page may be caught half written.
fn totals(dir: &Path, looks: usize) -> Result<Option<Reading>> {
    let path = dir.join(DATA);
    let reading = |error| wrong("reading", &path, &error);
    let data = open_own(&path).map_err(reading)?;
    for look in 0..looks {
        if look > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        match walk::lookup(&data, Totals::KEY) {
            Ok(Some(row)) if Totals::read(&row) != Reading::Damaged => {
                return Ok(Some(Totals::read(&row)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(reading(error)),
        }
    }
    Ok(None)
}

fn read(dir: &Path) -> Result<Said> {
    let path = dir.join(RECORD);
    let text = match open_own(&path).and_then(std::io::read_to_string) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Said::Nothing),
        Err(error) if error.kind() == ErrorKind::InvalidData => String::new(),
        Err(error) => return Err(wrong("reading", &path, &error)),
    };
    let mut words = text.split_ascii_whitespace();
    let ours = words.next() == Some(WORD);
    let format = words.next().and_then(|format| format.parse().ok());
    Ok(format.filter(|_| ours).map_or(Said::SomethingElse, Said::Format))
}

/// Writes the record before the first byte of data, so that data without a
/// record is somebody else's. It appears whole or not at all: another process
/// may look at any moment, and this one may be killed.
pub fn write(dir: &Path, mode: u32) -> Result<()> {
    if dir.join(RECORD).try_exists().unwrap_or(false) {
        return Ok(());
    }
    with_draft(dir, mode, |draft, path| match fs::hard_link(draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Some file systems have no links; what a rename replaces says the same.
        Err(_) => fs::rename(draft, path),
        Ok(()) => Ok(()),
    })
}

/// Writes the record anew, over one that is damaged. The store can be used
/// without, so what fails here does not fail the open.
pub fn rewrite(dir: &Path, mode: u32) {
    let _ = with_draft(dir, mode, |draft, path| fs::rename(draft, path));
}

fn with_draft(
    dir: &Path,
    mode: u32,
    publish: impl FnOnce(&Path, &Path) -> std::io::Result<()>,
) -> Result<()> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let path = dir.join(RECORD);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = dir.join(format!("{RECORD}.{}-{number}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&draft)
        .and_then(|mut file| file.write_all(format!("{WORD} {FORMAT}\n").as_bytes()))
        .and_then(|()| publish(&draft, &path));
    let _ = fs::remove_file(&draft);
    written.map_err(|error| wrong("writing", &path, &error))
}

fn not_a_record(dir: &Path) -> Error {
    let path = dir.join(RECORD);
    let text = format!("path: {} is not the record of a twat-cache store", path.display());
    Error::new(Code::Config, text)
}

fn wrong(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("{what}: {}", path.display()), error)
}

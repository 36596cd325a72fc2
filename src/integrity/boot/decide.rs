//! What becomes of a store, decided by the only one who has it open.

use super::aside::aside;
use super::held::{Held, replaced};
use super::mark::{Mark, Stamp, State};
use super::{Check, DATA, Decision, MARK, touch};
use crate::base::error::{Code, Error, Result};
use crate::integrity::walk::{self, Bad, Figures, Glance, Verdict};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// A short file up to this size is verified before it is extended, which takes
/// some milliseconds: somebody may have cut it. In larger ones, pages that one
/// transaction can have taken and given back unwritten are extended unseen.
const WALKED_WHEN_SHORT: u64 = 256 << 20;
const SMALL_EXTENSION: u64 = 64 << 20;

/// An open by the only user of a store.
#[derive(Clone, Copy)]
pub struct Alone<'a> {
    pub dir: &'a Path,
    /// The file of marks; None on media that cannot be written and have none.
    pub mark: Option<&'a File>,
    pub check: Check,
    pub read_only: bool,
    pub mode: u32,
    /// The databases that a store of ours has.
    pub names: &'a [&'a str],
}

impl Alone<'_> {
    /// Decides, and takes the data file. None where others have it open after
    /// all, who hold another `boot.lock`.
    pub fn decide(&self) -> Result<Option<(Decision, Held)>> {
        let Some(held) = Held::alone(self.dir, self.read_only, self.mode)? else {
            return Ok(None);
        };
        let decision = self.decide_over(held.data())?;
        if !matches!(decision, Decision::SetAside { .. }) {
            return Ok(Some((decision, held)));
        }
        drop(held);
        match Held::alone(self.dir, self.read_only, self.mode)? {
            Some(fresh) => Ok(Some((decision, fresh))),
            // Somebody else puts files into this directory.
            None => Err(replaced(self.dir, DATA)),
        }
    }

    fn decide_over(&self, data: &File) -> Result<Decision> {
        let reading =
            |e: io::Error| Error::io(format!("reading {}", self.dir.join(DATA).display()), &e);
        let mark = self.mark.map(Mark::read).transpose();
        let mark = mark.map_err(|e| Error::io(format!("reading {MARK}"), &e))?;
        let glance = walk::glance(data).map_err(reading)?;
        if glance == Glance::Empty {
            self.fresh(mark.as_ref())?;
            return Ok(Decision::Open(None));
        }
        let stamp = Stamp::of(data).map_err(reading)?;
        let trusted = mark.as_ref().is_none_or(|mark| mark.is_trusted(stamp));
        if self.check == Check::Never {
            return Ok(Decision::Open(None));
        }
        let must = self.check == Check::Open || !trusted;
        match glance {
            Glance::Whole if !must => {
                self.touch(data, mark.as_ref());
                return Ok(Decision::Open(None));
            }
            Glance::Short { have, need }
                if !must && need > WALKED_WHEN_SHORT && need - have <= SMALL_EXTENSION =>
            {
                return Ok(self.extend(have, need));
            }
            _ => {}
        }
        let verdict = walk::walk(data).map_err(reading)?;
        self.act_on(verdict, mark.as_ref(), trusted, data)
    }

    fn act_on(
        &self,
        verdict: Verdict,
        mark: Option<&Mark>,
        trusted: bool,
        data: &File,
    ) -> Result<Decision> {
        let settle = || if trusted { Ok(()) } else { self.settle(mark, data) };
        match verdict {
            Verdict::Empty => Ok(Decision::Open(None)),
            Verdict::Sound(figures) => match self.stranger(&figures) {
                Some(why) => aside(self, why),
                None => settle().map(|()| Decision::Open(Some(figures))),
            },
            Verdict::Short { have, need, figures } => match self.stranger(&figures) {
                Some(why) => aside(self, why),
                None => {
                    let decision = self.extend(have, need);
                    settle().map(|()| decision)
                }
            },
            Verdict::NotOurs if mark.is_none_or(|mark| mark.state == State::Missing) => {
                let path = self.dir.join(DATA);
                let text =
                    format!("{}: expected an LMDB data file, found something else", path.display());
                Err(Error::new(Code::Corrupt, text))
            }
            Verdict::NotOurs => aside(self, "neither meta page is one of LMDB".into()),
            Verdict::Bad(Bad { page, why }) => aside(self, format!("page {page}: {why}")),
        }
    }

    /// What in a consistent file LMDB would accept and we never write: a flipped
    /// bit can change how a database of few rows compares its keys, or make a
    /// row of the record of a database.
    fn stranger(&self, figures: &Figures) -> Option<String> {
        let (main, named) = figures.databases.split_first()?;
        if let Some(database) = figures.databases.iter().find(|database| database.flags != 0) {
            return Some(format!("database '{}': flags {:#x}", database.name, database.flags));
        }
        let mut found: Vec<_> = named.iter().map(|database| database.name.as_str()).collect();
        let mut expected = self.names.to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        if found == expected || (found.is_empty() && main.entries == 0) {
            return None;
        }
        Some(format!("expected the databases {expected:?}, found {found:?}"))
    }

    /// A directory without data: the mark gets its length now, while there is room.
    fn fresh(&self, mark: Option<&Mark>) -> Result<()> {
        match self.mark {
            Some(file) if !self.read_only && mark != Some(&Mark::empty()) => {
                self.write(&Mark::empty(), file)
            }
            _ => Ok(()),
        }
    }

    /// A store that was verified need not be verified again. What was read after
    /// a reboot is what the disk has; else some of it may be in the kernel only.
    fn settle(&self, mark: Option<&Mark>, data: &File) -> Result<()> {
        let Some(file) = self.mark.filter(|_| !self.read_only) else { return Ok(()) };
        touch::data(data, touch::HOUR);
        let rebooted =
            mark.is_some_and(|mark| mark.state == State::Dirty && !mark.is_of_this_boot());
        let state = if rebooted { State::Clean } else { State::Closed };
        let stamp = Stamp::settled(data);
        let stamp = stamp.map_err(|e| Error::io(format!("writing {MARK}"), &e))?;
        self.write(&Mark::now(state, stamp), file)
    }

    /// Keeps cleaners away from a store that is read only.
    fn touch(&self, data: &File, mark: Option<&Mark>) {
        if let (Some(file), Some(mark)) = (self.mark.filter(|_| !self.read_only), mark)
            && touch::data(data, touch::HOUR)
            && let Ok(stamp) = Stamp::settled(data)
        {
            // Without it the next open verifies the store.
            let _ = mark.restamped(stamp).write(file);
        }
    }

    pub(super) fn write(&self, mark: &Mark, file: &File) -> Result<()> {
        mark.write(file).map_err(|e| Error::io(format!("writing {MARK}"), &e))
    }

    /// Gives a short file its pages. Where there is no room, a hole does: none
    /// of these pages is reachable.
    fn extend(&self, from: u64, to: u64) -> Decision {
        if self.read_only {
            return Decision::Open(None);
        }
        let extended = OpenOptions::new().write(true).open(self.dir.join(DATA)).and_then(|data| {
            fallocate(&data, FallocateFlags::empty(), from, to - from)
                .or_else(|_| rustix::fs::ftruncate(&data, to))?;
            Ok(())
        });
        match extended {
            Ok(()) => Decision::Extended { from, to },
            Err(_) => Decision::Open(None),
        }
    }
}

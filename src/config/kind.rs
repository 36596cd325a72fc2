//! The engines that there are: the one list of their names.
//!
//! A new engine gets a row here, a file under `src/engine/`, an arm in
//! `engine::build` (the compiler asks for it), the engines column of its options, and a
//! line in the conformance suite.

use super::options::unknown;
use crate::base::error::{Code, Error, Result};

/// What a configuration can be opened as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    /// Bytes in the memory of the process.
    Memory,
    /// LMDB, with small values inside.
    Disk,
    /// LMDB, with every value in a file of its own.
    File,
    /// A redis server or cluster.
    Redis,
    /// A stack of engines.
    Tiered,
    /// Keeps nothing.
    Null,
    /// Chooses among the others by what is configured.
    Auto,
}

/// A set of engines, as bits: what an option applies to.
pub type Engines = u32;

impl EngineKind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Memory, Self::Disk, Self::File, Self::Redis, Self::Tiered, Self::Null, Self::Auto];

    /// The name in configurations, messages and `info`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::File => "file",
            Self::Redis => "redis",
            Self::Tiered => "tiered",
            Self::Null => "null",
            Self::Auto => "auto",
        }
    }

    /// The set of this one engine.
    pub const fn bit(self) -> Engines {
        1 << self as u32
    }

    /// Whether it is one of a set.
    pub const fn is_in(self, engines: Engines) -> bool {
        self.bit() & engines != 0
    }

    /// The engine of a name.
    ///
    /// # Errors
    /// `Config` for any other name; the text offers the nearest one.
    pub fn of_name(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().map(|kind| kind.name());
        Self::find(name).ok_or_else(|| Error::new(Code::Config, unknown("engine", name, known)))
    }

    /// The engine of a name, if it is one.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::EngineKind;

    #[test]
    fn every_engine_has_a_name_and_a_bit_of_its_own() {
        let mut seen = 0;
        for kind in EngineKind::ALL {
            assert_eq!(EngineKind::of_name(kind.name()).unwrap(), kind);
            assert!(!kind.is_in(seen), "{kind:?}");
            seen |= kind.bit();
        }
        let text = EngineKind::of_name("memry").unwrap_err().to_string();
        assert!(text.contains("did you mean 'memory'?"), "{text}");
    }
}

//! The persistent engine where there is none: its locks, maps and file modes are those of
//! Unix.

use super::Engine;
use crate::base::error::{Code, Error, Result};
use crate::config::Config;

/// Whether this system has the engine.
pub const IS_HERE: bool = false;

/// Refuses to open it.
///
/// # Errors
/// `Unsupported`, always.
pub fn open(config: &Config) -> Result<Box<dyn Engine>> {
    let (engine, system) = (config.engine(), std::env::consts::OS);
    let text = format!(
        "engine '{engine}': expected Linux or macOS, got {system}; use engine 'memory' or 'redis', or \
         engine 'auto', which falls back to memory"
    );
    Err(Error::new(Code::Unsupported, text))
}

//! Engine `auto`: chooses by what the configuration gives, and says so.

use super::{Engine, build, words};
use crate::base::error::{Code, Error, Result};
use crate::config::{Config, EngineKind};
use serde_json::{Map, Value as Json};

/// An engine with what is worth telling about its choice.
pub struct Opened {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// For `info`: `engine`, `reason`, and where there is something to tell,
    /// `ignored` (options the engine does not have) and `fallback_error`.
    pub notes: Map<String, Json>,
}

/// Opens what a validated configuration asks for.
pub fn open(config: &Config) -> Result<Opened> {
    if config.kind() != EngineKind::Auto {
        let notes = notes(config.engine(), "asked for by name");
        return Ok(Opened { engine: build(config)?, notes });
    }
    let (kind, reason) = if config.given("url").is_some() {
        (EngineKind::Redis, "auto: url is given")
    } else if !config.text("path").is_empty() {
        (EngineKind::Disk, "auto: path is given")
    } else {
        (EngineKind::Memory, "auto: neither url nor path is given")
    };
    match open_as(config, kind, reason) {
        Err(error)
            if kind != EngineKind::Memory && config.bool("fallback") && is_outside(&error) =>
        {
            let reason = format!("auto: fallback, since engine '{}' cannot be opened", kind.name());
            let mut opened = open_as(config, EngineKind::Memory, &reason)?;
            opened.notes.insert("fallback_error".into(), error.text().into());
            Ok(opened)
        }
        opened => opened,
    }
}

fn notes(engine: &str, reason: &str) -> Map<String, Json> {
    words([("engine", engine.into()), ("reason", reason.into())])
}

fn open_as(config: &Config, kind: EngineKind, reason: &str) -> Result<Opened> {
    let (chosen, ignored) = config.narrowed_to(kind)?;
    chosen.validate()?;
    let mut notes = notes(kind.name(), reason);
    if !ignored.is_empty() {
        notes.insert("ignored".into(), ignored.into());
    }
    let engine = build(&chosen)?;
    if kind == EngineKind::Redis && config.bool("fallback") {
        // A redis engine opens whether its server is there or not; who asks
        // for a fallback wants to know now.
        engine.contains(b"")?;
    }
    Ok(Opened { engine, notes })
}

/// Whether the world, and not the configuration, is at fault.
fn is_outside(error: &Error) -> bool {
    !matches!(error.code(), Code::Arg | Code::Config | Code::Panic)
}

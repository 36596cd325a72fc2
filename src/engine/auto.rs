//! Engine `auto`: chooses by what the configuration gives, and says so.

use super::{Engine, build, words};
use crate::base::error::{Code, Error, Result};
use crate::config::Config;
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
    if config.engine() != "auto" {
        let notes = notes(config.engine(), "asked for by name");
        return Ok(Opened { engine: build(config)?, notes });
    }
    let (name, reason) = if config.given("url").is_some() {
        ("redis", "auto: url is given")
    } else if !config.text("path").is_empty() {
        ("disk", "auto: path is given")
    } else {
        ("memory", "auto: neither url nor path is given")
    };
    match open_as(config, name, reason) {
        Err(error) if name != "memory" && config.bool("fallback") && is_outside(&error) => {
            let reason = format!("auto: fallback, since engine '{name}' cannot be opened");
            let mut opened = open_as(config, "memory", &reason)?;
            opened.notes.insert("fallback_error".into(), error.text().into());
            Ok(opened)
        }
        opened => opened,
    }
}

fn notes(engine: &str, reason: &str) -> Map<String, Json> {
    words([("engine", engine.into()), ("reason", reason.into())])
}

fn open_as(config: &Config, name: &str, reason: &str) -> Result<Opened> {
    let (chosen, ignored) = config.narrowed_to(name)?;
    chosen.validate()?;
    let mut notes = notes(name, reason);
    if !ignored.is_empty() {
        notes.insert("ignored".into(), ignored.into());
    }
    let engine = build(&chosen)?;
    if name == "redis" && config.bool("fallback") {
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

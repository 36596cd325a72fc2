//! What a cache is opened with: an engine's name, checked options, tiers.

pub mod kind;
mod load;
pub mod namespace;
pub mod options;
pub mod units;
mod validate;

pub use kind::EngineKind;
pub use options::{OptionSpec, OptionValue};

use crate::base::error::{Error, Result};
use options::STORE;
use std::collections::BTreeMap;

/// A configuration. Setting checks each option by itself; [`Config::validate`]
/// (which opening calls) checks what spans options.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    engine: EngineKind,
    values: BTreeMap<&'static str, OptionValue>,
    tiers: Vec<Config>,
}

/// Bounds that may be set: `None` is unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Entries at most.
    pub entries: Option<u64>,
    /// Bytes (or cost) at most.
    pub bytes: Option<u64>,
}

impl Config {
    /// An empty configuration of an engine.
    pub fn new(engine: &str) -> Result<Self> {
        Ok(Self {
            engine: EngineKind::of_name(engine)?,
            values: BTreeMap::new(),
            tiers: Vec::new(),
        })
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        self.engine.name()
    }

    /// The engine.
    pub fn kind(&self) -> EngineKind {
        self.engine
    }

    /// Changes the engine, keeping the options.
    pub fn set_engine(&mut self, engine: &str) -> Result<()> {
        self.engine = EngineKind::of_name(engine)?;
        Ok(())
    }

    /// The same options for another engine, and the names of those it has not.
    pub fn narrowed_to(&self, engine: EngineKind) -> Result<(Config, Vec<&'static str>)> {
        let mut narrowed = Self { engine, ..self.clone() };

        let mut ignored = Vec::new();
        narrowed.values.retain(|name, _| {
            let applies = options::find(name).is_ok_and(|spec| engine.is_in(spec.engines));
            if !applies && *name != "fallback" {
                ignored.push(*name);
            }
            applies
        });
        Ok((narrowed, ignored))
    }

    /// Sets an option from text.
    pub fn set(&mut self, name: &str, text: &str) -> Result<()> {
        if name == "engine" {
            return self.set_engine(text);
        }
        let spec = options::find(name)?;
        self.values.insert(spec.name, spec.parse(text)?);
        Ok(())
    }

    /// Sets an option from a number.
    pub fn set_u64(&mut self, name: &str, number: u64) -> Result<()> {
        let spec = options::find(name)?;
        self.values.insert(spec.name, spec.number(number)?);
        Ok(())
    }

    /// Sets an option from a truth value.
    pub fn set_bool(&mut self, name: &str, value: bool) -> Result<()> {
        let spec = options::find(name)?;
        self.values.insert(spec.name, spec.boolean(value)?);
        Ok(())
    }

    /// Adds a tier below the ones already there.
    pub fn add_tier(&mut self, tier: Config) -> Result<()> {
        if self.engine != EngineKind::Tiered {
            return Err(Error::config(format!(
                "tiers: only engine 'tiered' has them, found: engine '{}'",
                self.engine()
            )));
        }
        // Also what keeps a configuration from growing deeper than the stack.
        if tier.engine == EngineKind::Tiered || !tier.tiers.is_empty() {
            return Err(nested_tiers());
        }
        self.tiers.push(tier);
        Ok(())
    }

    /// The tiers, fastest first.
    pub fn tiers(&self) -> &[Config] {
        &self.tiers
    }

    /// Reads a MessagePack map or a JSON object over this configuration.
    /// Nothing is changed when any part of it is wrong.
    pub fn load(&mut self, bytes: &[u8]) -> Result<()> {
        load::load(self, bytes)
    }

    /// Checks what spans options.
    pub fn validate(&self) -> Result<()> {
        validate::validate(self)
    }

    /// Checks the options of a policy alone.
    pub fn validate_policy(&self) -> Result<()> {
        validate::validate_policy(self)
    }

    /// The value that was set, if any.
    pub fn given(&self, name: &str) -> Option<&OptionValue> {
        self.values.get(name)
    }

    /// The names of the options that were set.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.values.keys().copied()
    }

    /// A number that was set, or the default of the table where it is one.
    pub fn u64(&self, name: &str) -> u64 {
        self.u64_or(name, default_of(name).parse().unwrap_or(0))
    }

    /// A number that was set, or this one.
    pub fn u64_or(&self, name: &str, default: u64) -> u64 {
        match self.given(name) {
            Some(OptionValue::U64(n)) => *n,
            _ => default,
        }
    }

    /// A text that was set, or the default of the table.
    pub fn text(&self, name: &str) -> &str {
        match self.given(name) {
            Some(OptionValue::Text(text)) => text,
            _ => default_of(name),
        }
    }

    /// A truth value that was set, or the default of the table.
    pub fn bool(&self, name: &str) -> bool {
        match self.given(name) {
            Some(OptionValue::Bool(value)) => *value,
            _ => default_of(name) == "true",
        }
    }

    /// File permissions.
    pub fn mode(&self, name: &str) -> u32 {
        let default = u64::from(u32::from_str_radix(default_of(name), 8).unwrap_or(0));
        self.u64_or(name, default) as u32
    }

    /// The eviction policy; `ttl` is lru by another name.
    pub fn policy(&self) -> &str {
        match self.text("policy") {
            "ttl" => "lru",
            policy => policy,
        }
    }

    /// The bounds, with the engine's defaults: 0 is unbounded.
    pub fn bounds(&self) -> Bounds {
        let default = self.default_bounds();
        let some = |n: u64| (n > 0).then_some(n);
        Bounds {
            entries: some(self.u64_or("max_entries", default.entries.unwrap_or(0))),
            bytes: some(self.u64_or("max_bytes", default.bytes.unwrap_or(0))),
        }
    }

    /// The engine's bounds where none are named.
    pub fn default_bounds(&self) -> Bounds {
        let on_disk = self.engine.is_in(STORE);
        Bounds { entries: None, bytes: on_disk.then_some(4 << 30) }
    }

    /// Whether this is a memory cache managed by moka.
    pub fn is_tinylfu(&self) -> bool {
        self.engine == EngineKind::Memory && self.policy() == "tinylfu"
    }
}

fn default_of(name: &str) -> &'static str {
    options::OPTIONS.iter().find(|spec| spec.name == name).map_or("", |spec| spec.default)
}

fn nested_tiers() -> Error {
    Error::config("tiers: expected a tier without tiers of its own, found: a tiered one")
}

/// Shows what may be shown: never a secret.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Config");
        shown.field("engine", &self.engine.name());
        for (name, value) in &self.values {
            match options::find(name).map(|spec| spec.kind) {
                Ok(options::Kind::Secret) => shown.field(name, &"(not shown)"),
                _ => shown.field(name, value),
            };
        }
        shown.field("tiers", &self.tiers).finish()
    }
}

#[cfg(test)]
mod tests;

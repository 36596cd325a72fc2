//! Checks that span options: which engine takes what, and what contradicts.

use super::options::{AUTO, Engines, MEMORY, NULL, POLICY, STORE, TIERED, engine_names, find};
use super::{Config, EngineKind};
use crate::base::error::{Error, Result};

pub(super) fn validate(config: &Config) -> Result<()> {
    let engine = config.kind();
    if engine != EngineKind::Auto {
        applicable(config, engine.bit())?;
    }
    if config.policy_was("ttl") && config.u64("ttl_ms") == 0 {
        return Err(Error::config("policy: 'ttl' needs ttl_ms of at least 1, found: 0"));
    }
    if engine.is_in(STORE) {
        store(config)?;
    }
    if engine == EngineKind::Tiered {
        tiers(config)?;
    }
    Ok(())
}

pub(super) fn validate_policy(config: &Config) -> Result<()> {
    applicable(config, POLICY)?;
    match config.text("policy") {
        "tinylfu" => Err(Error::config(
            "policy: 'tinylfu' has no form for hosts that keep their own objects; \
             open a cache of engine 'memory' with it",
        )),
        _ => Ok(()),
    }
}

fn applicable(config: &Config, engine: Engines) -> Result<()> {
    for name in config.names() {
        let spec = find(name)?;
        if spec.engines & engine == 0 {
            let takers: Vec<_> = engine_names(spec.engines).collect();
            let asked = engine_names(engine).next().unwrap_or_default();
            return Err(Error::config(format!(
                "{name}: not an option of engine '{asked}', but of: {}",
                takers.join(" ")
            )));
        }
    }
    Ok(())
}

fn store(config: &Config) -> Result<()> {
    if config.text("path").is_empty() {
        return Err(Error::config(format!(
            "path: engine '{}' needs a directory, found none",
            config.engine()
        )));
    }
    let policy = config.text("policy");
    if !["lru", "lfu", "fifo", "rr", "none", "ttl"].contains(&policy) {
        return Err(Error::config(format!(
            "policy: engine '{}' has lru lfu fifo rr none ('{policy}' would write on every read), \
             found: {policy}",
            config.engine()
        )));
    }
    match config.given("max_bytes") {
        // The bound is that of the store, which is known once it is found.
        None => Ok(()),
        Some(_) => config.check_map(config.bounds().bytes.unwrap_or(0), ""),
    }
}

fn tiers(config: &Config) -> Result<()> {
    if config.tiers().len() < 2 {
        return Err(Error::config(format!(
            "tiers: engine 'tiered' needs at least 2, found: {}",
            config.tiers().len()
        )));
    }
    for tier in config.tiers() {
        if tier.kind().is_in(TIERED | AUTO) {
            return Err(Error::config(format!(
                "tiers: expected memory, disk, file, redis or null, found: {}",
                tier.engine()
            )));
        }
        tier.validate()?;
    }
    if !config.tiers()[0].kind().is_in(MEMORY | NULL) {
        return Err(Error::config(format!(
            "tiers: the first must be memory, found: {}",
            config.tiers()[0].engine()
        )));
    }
    Ok(())
}

impl Config {
    /// Whether `map_size`, where it is named, has room for a bound; `whose` says
    /// where the bound is from.
    pub fn check_map(&self, max_bytes: u64, whose: &str) -> Result<()> {
        match self.given("map_size") {
            Some(super::OptionValue::U64(map)) if *map / 2 < max_bytes => {
                Err(Error::config(format!(
                    "map_size: expected at least twice max_bytes ({max_bytes}{whose}), found: {map}"
                )))
            }
            _ => Ok(()),
        }
    }

    fn policy_was(&self, name: &str) -> bool {
        self.text("policy") == name
    }
}

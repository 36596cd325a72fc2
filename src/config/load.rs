//! Reading a configuration from MessagePack or JSON, both through serde.

use super::{Config, EngineKind, OptionValue, options};
use crate::base::error::{Error, Result};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How deep MessagePack may nest (JSON has a limit of its own): what recurses
/// by its input can run out of stack. An option of a tier lies four deep.
const MAX_DEPTH: usize = 32;

/// One scalar of a configuration file.
enum Scalar {
    Bool(bool),
    U64(u64),
    Text(String),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the value of an option")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Scalar, E> {
        Ok(Scalar::U64(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Scalar, E> {
        Ok(u64::try_from(value).map_or(Scalar::Other, Scalar::U64))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> std::result::Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> std::result::Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Scalar, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    /// MessagePack's extension types.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        from: D,
    ) -> std::result::Result<Scalar, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Scalar::Other)
    }
}

struct Loaded {
    engine: Option<EngineKind>,
    values: Vec<(&'static str, Option<OptionValue>)>,
    tiers: Option<Vec<Config>>,
}

pub(super) fn load(config: &mut Config, bytes: &[u8]) -> Result<()> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    // 0x7b is '{' in JSON and the number 123 in MessagePack, never a map.
    let loaded: Loaded = if first == Some(&b'{') {
        serde_json::from_slice(bytes).map_err(|error| Error::config(format!("JSON: {error}")))?
    } else {
        let mut reader = rmp_serde::Deserializer::new(bytes);
        reader.set_max_depth(MAX_DEPTH);
        let loaded = Loaded::deserialize(&mut reader)
            .map_err(|error| Error::config(format!("MessagePack: {error}")))?;
        let left = reader.into_inner().len();
        if left > 0 {
            let text = format!("MessagePack: expected one map, found {left} bytes after it");
            return Err(Error::config(text));
        }
        loaded
    };
    let engine = loaded.engine.unwrap_or(config.engine);
    if loaded.tiers.as_ref().is_some_and(|tiers| !tiers.is_empty()) && engine != EngineKind::Tiered
    {
        return Err(Error::config(format!(
            "tiers: only engine 'tiered' has them, found: engine '{}'",
            engine.name()
        )));
    }
    config.engine = engine;
    for (name, value) in loaded.values {
        match value {
            Some(value) => config.values.insert(name, value),
            None => config.values.remove(name),
        };
    }
    if let Some(tiers) = loaded.tiers {
        config.tiers = tiers;
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Loaded {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_map(LoadedVisitor { is_tier: false })
    }
}

/// A map inside `tiers`. It has no tiers itself.
struct Tier(Loaded);

impl<'de> Deserialize<'de> for Tier {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_map(LoadedVisitor { is_tier: true }).map(Tier)
    }
}

struct LoadedVisitor {
    is_tier: bool,
}

impl<'de> Visitor<'de> for LoadedVisitor {
    type Value = Loaded;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map of options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Loaded, A::Error> {
        let wrong = |error: Error| serde::de::Error::custom(error);
        let mut loaded = Loaded { engine: None, values: Vec::new(), tiers: None };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "engine" => {
                    let text: String = map.next_value()?;
                    loaded.engine = Some(EngineKind::of_name(&text).map_err(wrong)?);
                }
                "tiers" if self.is_tier => return Err(wrong(super::nested_tiers())),
                "tiers" => {
                    let tiers: Vec<Tier> = map.next_value()?;
                    let tiers = tiers.into_iter().map(|tier| tier.0.into_tier());
                    loaded.tiers = Some(tiers.collect::<Result<_>>().map_err(wrong)?);
                }
                _ => {
                    let spec = options::find(&name).map_err(wrong)?;
                    let value = match map.next_value::<Scalar>()? {
                        Scalar::Bool(value) => Some(spec.boolean(value)),
                        Scalar::U64(number) => Some(spec.number(number)),
                        Scalar::Text(text) => Some(spec.parse(&text)),
                        Scalar::Null => None,
                        Scalar::Other => Some(Err(Error::config(format!(
                            "{}: expected {}, found a value of another type",
                            spec.name,
                            spec.range()
                        )))),
                    };
                    loaded.values.push((spec.name, value.transpose().map_err(wrong)?));
                }
            }
        }
        Ok(loaded)
    }
}

impl Loaded {
    fn into_tier(self) -> Result<Config> {
        let engine = self
            .engine
            .ok_or_else(|| Error::config("tiers: each needs an 'engine', found one without"))?;
        let mut config = Config::new(engine.name())?;
        for (name, value) in self.values {
            if let Some(value) = value {
                config.values.insert(name, value);
            }
        }
        Ok(config)
    }
}

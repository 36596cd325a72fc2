//! Codecs for stored values, used only where they gain.

use crate::base::error::{Code, Error, Result};
use crate::config::Config;
use std::borrow::Cow;

/// Stored as it is.
pub const NONE: u8 = 0;
/// LZ4 block.
pub const LZ4: u8 = 1;
/// Zstandard frame.
pub const ZSTD: u8 = 2;

const LEVEL: i32 = 3;
const MIN_BYTES: u64 = 1024;

/// How an engine compresses, from its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compressor {
    codec: u8,
    level: i32,
    min_bytes: u64,
}

/// As the option table has it: none, level 3, from 1,024 bytes.
impl Default for Compressor {
    fn default() -> Self {
        Self { codec: NONE, level: LEVEL, min_bytes: MIN_BYTES }
    }
}

impl Compressor {
    /// The compressor that a configuration asks for.
    pub fn from_config(config: &Config) -> Self {
        Self::default().with(config)
    }

    /// This one, with what a configuration names.
    pub fn with(self, config: &Config) -> Self {
        let codec = match config.given("compression") {
            None => self.codec,
            Some(_) => match config.text("compression") {
                "lz4" => LZ4,
                "zstd" => ZSTD,
                _ => NONE,
            },
        };
        let level = config.u64_or("compression_level", self.level as u64) as i32;
        Self { codec, level, min_bytes: config.u64_or("compress_min_bytes", self.min_bytes) }
    }

    /// As one word of the store's totals: the codec in the first byte, the level
    /// in the second, the least size plus one in the other six. A level or size
    /// that is the default is 0 there, so that 0 is the default of all.
    pub fn word(self) -> u64 {
        let level = if self.level == LEVEL { 0 } else { self.level as u64 & 0xff };
        let min = match self.min_bytes {
            MIN_BYTES => 0,
            min => min.saturating_add(1).min(u64::MAX >> 16),
        };
        u64::from(self.codec) | level << 8 | min << 16
    }

    /// From that word; a codec of a newer version compresses nothing.
    pub fn from_word(word: u64) -> Self {
        let codec = match word as u8 {
            codec @ (LZ4 | ZSTD) => codec,
            _ => NONE,
        };
        let level = match (word >> 8) as u8 {
            0 => LEVEL,
            level => i32::from(level),
        };
        let min_bytes = (word >> 16).checked_sub(1).unwrap_or(MIN_BYTES);
        Self { codec, level, min_bytes }
    }

    /// Whether it compresses anything.
    pub fn compresses(self) -> bool {
        self.codec != NONE
    }

    /// The name of the codec, as option `compression` takes it.
    pub fn name(self) -> &'static str {
        match self.codec {
            LZ4 => "lz4",
            ZSTD => "zstd",
            _ => "none",
        }
    }

    /// Option `compression_level`.
    pub fn level(self) -> i32 {
        self.level
    }

    /// Option `compress_min_bytes`.
    pub fn min_bytes(self) -> u64 {
        self.min_bytes
    }

    /// The codec that was used and its output; the input as it is where the
    /// value is small or nothing is gained.
    pub fn compress<'a>(&self, value: &'a [u8]) -> (u8, Cow<'a, [u8]>) {
        if self.codec == NONE || (value.len() as u64) < self.min_bytes {
            return (NONE, Cow::Borrowed(value));
        }
        let packed = match self.codec {
            LZ4 => Some(lz4_flex::block::compress(value)),
            _ => zstd::bulk::compress(value, self.level).ok(),
        };
        match packed {
            Some(packed) if packed.len() < value.len() => (self.codec, Cow::Owned(packed)),
            _ => (NONE, Cow::Borrowed(value)),
        }
    }
}

/// The value behind a stored payload. `value_len` comes from a header whose
/// checksum was verified; a mismatch is corruption all the same.
pub fn decompress(codec: u8, payload: &[u8], value_len: u64) -> Result<Cow<'_, [u8]>> {
    let wrong = |what: &str| Error::new(Code::Corrupt, format!("stored value: {what}"));
    let capacity = usize::try_from(value_len)
        .ok()
        .filter(|n| isize::try_from(*n).is_ok())
        .ok_or_else(|| wrong("its length does not fit this machine"))?;
    let value = match codec {
        NONE => Cow::Borrowed(payload),
        // A block expands 255 times at most: a length beyond that is a lie, and
        // would be allocated before it is found out.
        LZ4 if capacity / 256 > payload.len() => return Err(wrong("bad lz4")),
        LZ4 => Cow::Owned(
            lz4_flex::block::decompress(payload, capacity).map_err(|_| wrong("bad lz4"))?,
        ),
        ZSTD => {
            let mut room = Vec::new();
            room.try_reserve_exact(capacity).map_err(|_| wrong("no memory for its length"))?;
            zstd::bulk::Decompressor::new()
                .and_then(|mut zstd| zstd.decompress_to_buffer(payload, &mut room))
                .map_err(|_| wrong("bad zstd"))?;
            Cow::Owned(room)
        }
        other => {
            return Err(Error::new(
                Code::Version,
                format!("codec of the stored value: expected 0 to 2, found: {other}"),
            ));
        }
    };
    if value.len() != capacity {
        return Err(wrong("its length is not the one recorded"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gains_is_packed_and_comes_back() {
        let value = b"abcabcabc".repeat(1000);
        for codec in [LZ4, ZSTD] {
            let compressor = Compressor { codec, level: 3, min_bytes: 1024 };
            let (used, packed) = compressor.compress(&value);
            assert!(used == codec && packed.len() < value.len() / 4);
            assert_eq!(decompress(used, &packed, value.len() as u64).unwrap(), value);
            decompress(used, &packed, value.len() as u64 - 1).unwrap_err();
            decompress(used, &packed[1..], value.len() as u64).unwrap_err();
            assert_eq!(compressor.compress(b"short").0, NONE);
        }
    }

    #[test]
    fn settings_survive_their_word() {
        assert_eq!(Compressor::default(), Compressor::from_config(&Config::new("disk").unwrap()));
        assert_eq!(Compressor::default().word(), 0);
        for codec in [NONE, LZ4, ZSTD] {
            for (level, min_bytes) in [(3, 1024), (1, 0), (19, 1), (3, u64::MAX >> 17)] {
                let compressor = Compressor { codec, level, min_bytes };
                assert_eq!(Compressor::from_word(compressor.word()), compressor);
            }
        }
        let never = Compressor { codec: LZ4, level: 3, min_bytes: u64::MAX };
        assert!(Compressor::from_word(never.word()).min_bytes() > 1 << 47);
    }

    #[test]
    fn a_length_beyond_reason_is_refused_before_it_is_allocated() {
        for codec in [NONE, LZ4, ZSTD] {
            for len in [1 << 44, 1 << 62, i64::MAX as u64, u64::MAX] {
                decompress(codec, b"abc", len).unwrap_err();
            }
        }
    }
}

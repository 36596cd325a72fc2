//! Counters: format byte 4 and 64 bits, signed, little-endian
//! (`docs/format.md`). The same arithmetic in every engine.

use crate::error::{Error, Result};

/// The format byte.
pub const FORMAT: u8 = 4;

/// A counter as it is stored.
pub fn encode(value: i64) -> [u8; 9] {
    let mut bytes = [FORMAT; 9];
    bytes[1..].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// The counter after an `incr`: what is stored (nothing: `initial`) and
/// `delta`, which wrap around.
pub fn next(engine: &str, stored: Option<&[u8]>, delta: i64, initial: i64) -> Result<i64> {
    let old = match stored {
        None => initial,
        Some([FORMAT, number @ ..]) if number.len() == 8 => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(number);
            i64::from_le_bytes(bytes)
        }
        Some(other) => {
            let first = other.first().map_or("nothing".into(), |byte| format!("format {byte}"));
            let found = format!(
                "increment of this value: expected a counter (format 4, 9 bytes), \
                 found: {first}, {} bytes",
                other.len()
            );
            return Err(Error::unsupported(engine, &found));
        }
    };
    Ok(old.wrapping_add(delta))
}

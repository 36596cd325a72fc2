//! Counters: what `incr` makes of a stored value (`docs/format.md`). The same
//! arithmetic in every engine.
//!
//! Any stored integer counts: format 4, and a MessagePack integer, which is what
//! `set` of a number stores. The sum is stored in format 4. A big integer (extension 3)
//! stays one, so that languages that tell it from a number go on reading it as such.

use crate::base::error::{Code, Error, Result};
use std::borrow::Cow;

/// The format byte of counters.
pub const FORMAT: u8 = 4;
/// That of MessagePack values.
const MSGPACK: u8 = 1;
/// MessagePack's extension of big integers.
const BIG: u8 = 3;

/// A counter after an `incr`.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// Its number.
    pub value: i64,
    /// It was stored as a big integer.
    big: bool,
}

impl Counter {
    /// The counter after an `incr` of what is stored (nothing: `initial`) by `delta`.
    ///
    /// # Errors
    /// [`Code::Unsupported`] for what is no integer, [`Code::TooLarge`] for a sum
    /// beyond 64 bits.
    pub fn next(stored: Option<&[u8]>, delta: i64, initial: i64) -> Result<Self> {
        let (old, big) = match stored {
            None => (i128::from(initial), false),
            Some(value) => integer(value).map_err(|found| {
                let text = format!("incr: expected a stored integer, got {found}");
                Error::new(Code::Unsupported, text)
            })?,
        };
        let sum = old + i128::from(delta);
        let value = i64::try_from(sum).map_err(|_| {
            let text = format!(
                "incr: expected a sum from {} to {}, got {sum} ({old} and {delta}); \
                 what is stored stays as it is",
                i64::MIN,
                i64::MAX
            );
            Error::new(Code::TooLarge, text)
        })?;
        Ok(Self { value, big })
    }

    /// As it is stored.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12);
        if !self.big {
            bytes.push(FORMAT);
            bytes.extend(self.value.to_le_bytes());
            return bytes;
        }
        let whole = self.value.to_be_bytes();
        // As few bytes as hold the sign.
        let spare = (0..7).take_while(|at| {
            let (byte, next) = (whole[*at], whole[at + 1] & 0x80);
            (byte == 0 && next == 0) || (byte == 0xff && next != 0)
        });
        let number = &whole[spare.count()..];
        bytes.push(MSGPACK);
        match number.len() {
            1 => bytes.push(0xd4),
            2 => bytes.push(0xd5),
            4 => bytes.push(0xd6),
            8 => bytes.push(0xd7),
            n => bytes.extend([0xc7, n as u8]),
        }
        bytes.push(BIG);
        bytes.extend(number);
        bytes
    }
}

/// The integer that a value is, and whether it is a big one; else what it is, in words.
fn integer(value: &[u8]) -> std::result::Result<(i128, bool), Cow<'static, str>> {
    let sized = |what| Cow::from(format!("{what} of {} bytes", value.len() - 1));
    match value {
        [] => Err("an empty value without a format byte".into()),
        [FORMAT, number @ ..] => match <[u8; 8]>::try_from(number) {
            Ok(number) => Ok((i64::from_le_bytes(number).into(), false)),
            Err(_) => Err(sized("a counter (format 4, 8 bytes)")),
        },
        [MSGPACK, payload @ ..] => msgpack(payload),
        [0, ..] => Err(sized("raw bytes (format 0)")),
        [2, ..] => Err(sized("JSON (format 2)")),
        [3, ..] => Err(sized("an array (format 3)")),
        [16 | 17, ..] => Err(sized("a pickled Python object")),
        [format, ..] => Err(sized(&format!("format {format}, which this version does not know,"))),
    }
}

/// The same of one MessagePack value.
fn msgpack(payload: &[u8]) -> std::result::Result<(i128, bool), Cow<'static, str>> {
    let Some((&head, rest)) = payload.split_first() else {
        return Err("MessagePack (format 1) without a value".into());
    };
    let plain = |signed| number(rest, signed).map(|n| (n, false)).ok_or("a damaged integer".into());
    match (head, rest.len()) {
        (0..=0x7f, 0) => Ok((head.into(), false)),
        (0xe0.., 0) => Ok((head.cast_signed().into(), false)),
        (0xcc, 1) | (0xcd, 2) | (0xce, 4) | (0xcf, 8) => plain(false),
        (0xd0, 1) | (0xd1, 2) | (0xd2, 4) | (0xd3, 8) => plain(true),
        _ => big(payload).ok_or_else(|| kind(head).into()),
    }
}

/// A big integer.
fn big(payload: &[u8]) -> Option<(i128, bool)> {
    let (len, rest) = match payload {
        [0xd4, BIG, rest @ ..] => (1, rest),
        [0xd5, BIG, rest @ ..] => (2, rest),
        [0xd6, BIG, rest @ ..] => (4, rest),
        [0xd7, BIG, rest @ ..] => (8, rest),
        [0xd8, BIG, rest @ ..] => (16, rest),
        [0xc7, len, BIG, rest @ ..] => (usize::from(*len), rest),
        _ => return None,
    };
    // Longer ones are beyond any sum that could be stored.
    if rest.len() != len || len >= 16 {
        return None;
    }
    Some((number(rest, true)?, true))
}

/// Big-endian bytes as a number.
fn number(bytes: &[u8], signed: bool) -> Option<i128> {
    let first = *bytes.first()?;
    let start = if signed && first >= 0x80 { -1 } else { 0 };
    Some(bytes.iter().fold(start, |number, byte| number << 8 | i128::from(*byte)))
}

/// What a MessagePack value is that begins so, in words.
fn kind(head: u8) -> &'static str {
    match head {
        0xc0 => "nil",
        0xc2 | 0xc3 => "a boolean",
        0xca | 0xcb => "a float",
        0xa0..=0xbf | 0xd9..=0xdb => "text",
        0xc4..=0xc6 => "bytes",
        0x90..=0x9f | 0xdc | 0xdd => "a list",
        0x80..=0x8f | 0xde | 0xdf => "a map",
        0xc7..=0xc9 | 0xd4..=0xd8 => "an extension type, or an integer beyond 64 bits",
        _ => "damaged MessagePack (format 1)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(stored: &[u8], delta: i64) -> Result<(i64, Vec<u8>)> {
        Counter::next(Some(stored), delta, 99).map(|counter| (counter.value, counter.encode()))
    }

    fn counter(value: i64) -> Vec<u8> {
        [&[FORMAT][..], &value.to_le_bytes()].concat()
    }

    #[test]
    fn every_encoding_of_an_integer_counts_and_becomes_a_counter() {
        for (stored, value) in [
            (&[1, 2][..], 2),
            (&[1, 0x7f], 127),
            (&[1, 0xe0], -32),
            (&[1, 0xff], -1),
            (&[1, 0xcc, 200], 200),
            (&[1, 0xcd, 1, 0], 256),
            (&[1, 0xce, 0xff, 0xff, 0xff, 0xff], u32::MAX.into()),
            (&[1, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
            (&[1, 0xd0, 0x80], -128),
            (&[1, 0xd1, 0x80, 0], -32768),
            (&[1, 0xd2, 0x80, 0, 0, 0], i32::MIN.into()),
            (&[1, 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 1], i64::MIN + 1),
            (&counter(-7), -7),
        ] {
            assert_eq!(raised(stored, 1).unwrap(), (value + 1, counter(value + 1)), "{stored:?}");
            assert_eq!(raised(stored, 0).unwrap().0, value, "{stored:?}");
        }
        let top = [&[1, 0xcf][..], &(1_u64 << 63).to_be_bytes()].concat();
        assert_eq!(raised(&top, -1).unwrap().0, i64::MAX, "only the sum must fit");
        let nothing = Counter::next(None, 1, 41).unwrap();
        assert_eq!((nothing.value, nothing.encode()), (42, counter(42)));
    }

    #[test]
    fn a_big_integer_stays_one_in_its_shortest_form() {
        let big = |bytes: &[u8]| [&[1][..], bytes].concat();
        for (delta, expected) in [
            (-1, big(&[0xd4, 3, 0])),
            (0, big(&[0xd4, 3, 1])),
            (127, big(&[0xd5, 3, 0, 0x80])),
            (-3, big(&[0xd4, 3, 0xfe])),
            (-130, big(&[0xd5, 3, 0xff, 0x7f])),
            (0x7fff_ffff, big(&[0xc7, 5, 3, 0, 0x80, 0, 0, 0])),
            (0x7f_ffff, big(&[0xd6, 3, 0, 0x80, 0, 0])),
            (i64::MIN, big(&[0xd7, 3, 0x80, 0, 0, 0, 0, 0, 0, 1])),
        ] {
            assert_eq!(raised(&big(&[0xd4, 3, 1]), delta).unwrap().1, expected, "{delta}");
        }
        // 2^63 - 1 in nine bytes.
        let long = big(&[&[0xc7, 9, 3, 0, 0x7f][..], &[0xff; 7]].concat());
        assert_eq!(raised(&long, -1).unwrap().0, i64::MAX - 1);
    }

    #[test]
    fn a_sum_beyond_64_bits_is_an_error_and_never_wraps() {
        for (stored, delta) in [
            (counter(i64::MAX), 1),
            (counter(i64::MIN), -1),
            (counter(-2), i64::MIN),
            ([&[1, 0xcf][..], &[0xff; 8]].concat(), i64::MAX),
        ] {
            let error = raised(&stored, delta).unwrap_err();
            assert_eq!(error.code(), Code::TooLarge);
            assert!(error.text().contains("expected a sum from -9223372036854775808"), "{error}");
        }
        assert!(Counter::next(None, 1, i64::MAX).is_err());
        assert_eq!(Counter::next(None, i64::MIN, i64::MAX).unwrap().value, -1);
    }

    #[test]
    fn what_is_no_integer_is_named() {
        let long = [&[1, 0xd8, 3][..], &[1; 16]].concat();
        for (stored, named) in [
            (&b""[..], "an empty value"),
            (&[0, b'1'], "raw bytes (format 0) of 1 bytes"),
            (&[1], "without a value"),
            (&[1, 0xc0], "nil"),
            (&[1, 0xc3], "a boolean"),
            (&[1, 0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0], "a float"),
            (&[1, 0xa1, b'1'], "text"),
            (&[1, 0xc4, 1, 1], "bytes"),
            (&[1, 0x91, 1], "a list"),
            (&[1, 0x81, 1, 1], "a map"),
            (&[1, 0xd4, 1, 0x90], "an extension type"),
            (&long, "an integer beyond 64 bits"),
            (&[1, 1, 1], "damaged"),
            (&[1, 0xcd, 1], "damaged"),
            (&[1, 0xd5, 3, 1], "an extension"),
            (&[1, 0xc7, 0, 3], "an extension"),
            (&[2, b'3'], "JSON (format 2)"),
            (&[3, b'C'], "an array (format 3)"),
            (&[4, 1], "a counter (format 4, 8 bytes) of 1 bytes"),
            (&[16, 1, 2], "a pickled Python object"),
            (&[77, 1], "format 77"),
        ] {
            let error = raised(stored, 1).unwrap_err();
            assert_eq!(error.code(), Code::Unsupported);
            assert!(error.text().contains(named), "{stored:?}: {error}");
        }
    }
}

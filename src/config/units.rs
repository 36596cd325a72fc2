//! Times, sizes and shares as people write them: `1h30m`, `500 MB`, `10%`.
//!
//! A plain number is refused here: its unit would depend on the language
//! (seconds in Python, milliseconds in Node). An option's own unit applies in
//! its setter, before these are asked.

use crate::base::error::{Error, Result};

type Unit = (&'static [&'static str], u64);

/// Longest first: the parts of a time stand in this order.
const TIMES: &[Unit] = &[
    (&["w", "week", "weeks"], 7 * 24 * 3_600_000),
    (&["d", "day", "days"], 24 * 3_600_000),
    (&["h", "hr", "hour", "hours"], 3_600_000),
    (&["m", "min", "minute", "minutes"], 60_000),
    (&["s", "sec", "second", "seconds"], 1000),
    (&["ms", "millisecond", "milliseconds"], 1),
];

const SIZES: &[Unit] = &[
    (&["b", "byte", "bytes"], 1),
    (&["kb"], 1000),
    (&["mb"], 1_000_000),
    (&["gb"], 1_000_000_000),
    (&["tb"], 1_000_000_000_000),
    (&["kib"], 1 << 10),
    (&["mib"], 1 << 20),
    (&["gib"], 1 << 30),
    (&["tib"], 1 << 40),
];

/// Digits a number may have: all sums stay exact in 128 bits.
const MAX_DIGITS: usize = 18;

/// Milliseconds of a time such as `1h30m`, `1.5 days` or `250ms`. Parts of a
/// millisecond are rounded up: a short time must not become none.
///
/// # Errors
/// `Config` for what is no such text, and for times beyond 64 bits.
pub fn duration_ms(text: &str) -> Result<u64> {
    let wrong = || {
        wrong(
            text,
            "a time such as '90s', '1h30m' or '1.5 days' (units: ms s m h d w, the longest first)",
        )
    };
    let mut rest = text.trim();
    let mut total = Amount::default();
    let mut next = 0;
    while !rest.is_empty() {
        let (amount, after) = Amount::read(rest).ok_or_else(wrong)?;
        let (word, after) = word(after.trim_start());
        let at = position(&TIMES[next..], word).ok_or_else(wrong)?;
        total.add(amount.times(TIMES[next + at].1));
        next += at + 1;
        rest = after.trim_start();
    }
    if next == 0 {
        return Err(wrong());
    }
    total.rounded_up().ok_or_else(wrong)
}

/// Bytes of a size such as `500 MB` (10⁶) or `1.5 GiB` (2³⁰). Parts of a byte
/// are dropped.
///
/// # Errors
/// `Config` for what is no such text, and for sizes beyond 64 bits.
pub fn size_bytes(text: &str) -> Result<u64> {
    let wrong = || {
        wrong(
            text,
            "a size such as '500 MB' or '1.5 GiB' (kB MB GB TB are powers of 1000, KiB MiB GiB TiB of 1024)",
        )
    };
    let (amount, after) = Amount::read(text.trim()).ok_or_else(wrong)?;
    let (word, after) = word(after.trim_start());
    let at = position(SIZES, word).filter(|_| after.is_empty()).ok_or_else(wrong)?;
    amount.times(SIZES[at].1).rounded_down().ok_or_else(wrong)
}

/// The number of a share such as `10%`: whole per cent from 0 to 100.
///
/// # Errors
/// `Config` for what is no such text.
pub fn percent(text: &str) -> Result<u64> {
    let digits = text.trim().strip_suffix('%').map(str::trim_end);
    digits
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|share| *share <= 100)
        .ok_or_else(|| wrong(text, "a share such as '10%', from 0% to 100% without decimals"))
}

fn wrong(text: &str, expected: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::config(format!("expected {expected}, found: '{shown}'"))
}

/// The letters a text begins with, and what follows.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len()))
}

fn position(units: &[Unit], word: &str) -> Option<usize> {
    units.iter().position(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
}

/// A decimal number, exact: so many of one part in 10^18.
#[derive(Clone, Copy, Default)]
struct Amount {
    whole: u128,
    /// In parts of [`Amount::PARTS`].
    part: u128,
}

impl Amount {
    const PARTS: u128 = 10u128.pow(MAX_DIGITS as u32);

    fn read(text: &str) -> Option<(Self, &str)> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = text.split_at(digits(text));
        let (part, rest) = match rest.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("0", rest),
        };
        let valid = |text: &str| (1..=MAX_DIGITS).contains(&text.len());
        if !valid(whole) || !valid(part) {
            return None;
        }
        let scale = 10u128.pow((MAX_DIGITS - part.len()) as u32);
        let part = part.parse::<u128>().ok()? * scale;
        Some((Self { whole: whole.parse().ok()?, part }, rest))
    }

    fn times(self, factor: u64) -> Self {
        let part = self.part * u128::from(factor);
        let whole = self.whole * u128::from(factor) + part / Self::PARTS;
        Self { whole, part: part % Self::PARTS }
    }

    fn add(&mut self, other: Self) {
        let part = self.part + other.part;
        self.whole += other.whole + part / Self::PARTS;
        self.part = part % Self::PARTS;
    }

    fn rounded_up(self) -> Option<u64> {
        u64::try_from(self.whole + u128::from(self.part > 0)).ok()
    }

    fn rounded_down(self) -> Option<u64> {
        u64::try_from(self.whole).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{duration_ms, percent, size_bytes};

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, ms) in [
            ("1h30m", 5_400_000),
            ("90s", 90_000),
            ("250ms", 250),
            ("1.5 days", 129_600_000),
            (" 2 weeks 1 hour ", 1_213_200_000),
            ("0s", 0),
            ("0.1ms", 1),
            ("0.0001s", 1),
            ("1H", 3_600_000),
            ("1m 0.5s", 60_500),
            ("18446744073709551.615s", u64::MAX),
        ] {
            assert_eq!(duration_ms(text).unwrap(), ms, "{text}");
        }
    }

    #[test]
    fn a_time_in_doubt_is_refused() {
        for text in [
            "",
            " ",
            "5",
            "-1s",
            "+1s",
            "1",
            "h",
            "1 fortnight",
            "30m1h",
            "1m1m",
            "1h-30m",
            "1e3s",
            "1.s",
            ".5s",
            "1,5h",
            "1_000s",
            "NaN",
            "inf",
            "1h30",
            "1month",
            "1\u{661}s",
            "18446744073709551.616s",
            "9999999999999999999s",
            "1s\0",
            "1 h,30 m",
            "1μs",
        ] {
            let error = duration_ms(text).unwrap_err().to_string();
            assert!(error.contains("expected a time such as"), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("500 MB", 500_000_000),
            ("500mb", 500_000_000),
            ("1.5 GiB", 3 << 29),
            ("64KiB", 65536),
            ("1 B", 1),
            ("10 bytes", 10),
            ("0.0015 kB", 1),
            ("16777215.999999999999999 TiB", u64::MAX),
        ] {
            assert_eq!(size_bytes(text).unwrap(), bytes, "{text}");
        }
        for text in [
            "",
            "5",
            "5 M",
            "5K",
            "MB",
            "-5 MB",
            "5 MB 3 kB",
            "5 Mbit",
            "1 PB",
            "16777216 TiB",
            "5%",
        ] {
            let error = size_bytes(text).unwrap_err().to_string();
            assert!(error.contains("expected a size such as"), "{text}: {error}");
        }
    }

    #[test]
    fn shares_are_whole_per_cents() {
        assert_eq!(percent("10%").unwrap(), 10);
        assert_eq!(percent(" 0 % ").unwrap(), 0);
        assert_eq!(percent("100%").unwrap(), 100);
        for text in ["", "%", "10", "101%", "2.5%", "-1%", "+1%", "10 per cent", "1e1%"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}

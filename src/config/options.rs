//! The option table: one row an option, from which setters, checks, the C
//! listing, the docs and the bindings are all derived.

use super::units;
use crate::base::error::{Error, Result};

use super::kind::EngineKind;
pub use super::kind::Engines;

/// The memory engine.
pub const MEMORY: Engines = EngineKind::Memory.bit();
/// The LMDB engine with small values inside.
pub const DISK: Engines = EngineKind::Disk.bit();
/// The LMDB engine with every value as a file.
pub const FILE: Engines = EngineKind::File.bit();
/// The redis engine.
pub const REDIS: Engines = EngineKind::Redis.bit();
/// A stack of engines.
pub const TIERED: Engines = EngineKind::Tiered.bit();
/// The engine that keeps nothing.
pub const NULL: Engines = EngineKind::Null.bit();
/// Chooses among the others.
pub const AUTO: Engines = EngineKind::Auto.bit();
/// A policy alone, for hosts that keep their own objects: no engine.
pub const POLICY: Engines = 1 << EngineKind::ALL.len();

/// The engines whose entries are in a store of LMDB.
pub const STORE: Engines = DISK | FILE;
const CACHES: Engines = POLICY - 1;

/// The names of a set of engines.
pub fn engine_names(engines: Engines) -> impl Iterator<Item = &'static str> + Clone {
    let named = EngineKind::ALL.into_iter().filter(move |kind| kind.is_in(engines));
    named.map(EngineKind::name).chain((engines & POLICY != 0).then_some("policy"))
}

/// The eviction policies, in the order of `options.md`.
pub const POLICIES: [&str; 11] =
    ["lru", "lfu", "fifo", "lifo", "mru", "rr", "sieve", "s3fifo", "tinylfu", "none", "ttl"];

/// What values an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// UTF-8 of at most so many bytes.
    Text(usize),
    /// UTF-8 that is never shown.
    Secret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// A decimal integer in a range.
    U64(u64, u64),
    /// Milliseconds of at least so much, or a time such as `1h30m`.
    Time(u64),
    /// Bytes in a range, or a size such as `500 MB`.
    Size(u64, u64),
    /// 0, or bytes of at least so much, or a size such as `500 MB`.
    ZeroOrSize(u64),
    /// 0, or a power of two up to so much.
    ZeroOrPowerOfTwo(u64),
    /// Permissions as octal text, up to so much.
    Octal(u32),
}

/// A checked value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "one variant a type")]
pub enum OptionValue {
    Text(String),
    U64(u64),
    Bool(bool),
}

/// One row of the table.
#[derive(Debug)]
#[expect(missing_docs, reason = "columns of options.md")]
pub struct OptionSpec {
    pub name: &'static str,
    pub kind: Kind,
    /// As text; empty where there is none.
    pub default: &'static str,
    pub engines: Engines,
    pub doc: &'static str,
}

const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    engines: Engines,
    doc: &'static str,
) -> OptionSpec {
    OptionSpec { name, kind, default, engines, doc }
}

const ANY: u64 = u64::MAX;
const MIB: u64 = 1 << 20;

/// Every option but `engine`, which a configuration is made with.
#[rustfmt::skip]
pub static OPTIONS: &[OptionSpec] = &[
    row("namespace", Kind::Text(200), "", DISK | FILE | REDIS | TIERED | AUTO,
        "Entries of other namespaces are invisible to get, scan, clear and count; bounds belong to the store."),
    row("max_entries", Kind::U64(0, ANY), "0", MEMORY | STORE | AUTO | POLICY,
        "Entries at most; 0 is unbounded."),
    row("max_bytes", Kind::ZeroOrSize(64 * 1024), "memory 0; disk, file 4294967296", MEMORY | STORE | AUTO | POLICY,
        "Bytes at most (key, value and overhead); 0 is unbounded. For a policy alone: the sum of costs."),
    row("policy", Kind::Choice(&POLICIES), "lru", MEMORY | STORE | AUTO | POLICY,
        "Which entry leaves when there is no room."),
    row("seed", Kind::U64(0, ANY), "from the system", MEMORY | STORE | AUTO | POLICY,
        "Seed of the random choices of policy rr."),
    row("shards", Kind::ZeroOrPowerOfTwo(1024), "0", MEMORY | AUTO,
        "Independent parts of the index; 0 chooses: one up to 4096 entries (or 4 MiB where only bytes are bounded), then about four a core. The order is exact within each."),
    row("ttl_ms", Kind::Time(0), "0", CACHES,
        "Milliseconds an entry lives when its call does not say; 0 is for ever."),
    row("path", Kind::Text(4000), "", STORE | AUTO,
        "Directory of the store, made if missing. Required for disk and file."),
    row("create", Kind::Bool, "true", STORE | AUTO,
        "Make the store where there is none."),
    row("read_only", Kind::Choice(&["auto", "true", "false"]), "auto", STORE | AUTO,
        "Serve hits and refuse sets; auto does so on media that cannot be written."),
    row("inline_max_bytes", Kind::Size(0, MIB), "disk 32768; file 0", STORE | AUTO,
        "Values up to this size lie inside LMDB, larger ones in files of their own."),
    row("map_size", Kind::Size(MIB, 1 << 46), "68719476736, halved on failure", STORE | AUTO,
        "Bytes of address space reserved for the store; at least twice max_bytes."),
    row("durability", Kind::Choice(&["process", "system"]), "process", STORE | AUTO,
        "What an acknowledged set survives: the death of the process, or also a power cut."),
    row("verify", Kind::Choice(&["first", "always"]), "first", STORE | AUTO,
        "When the checksum of a value file is verified: on the first read in a process, or on each."),
    row("check", Kind::Choice(&["auto", "open", "never"]), "auto", STORE | AUTO,
        "When the page walker verifies a store: unless it was closed and is as it was left, at each open, or never."),
    row("dir_mode", Kind::Octal(0o7777), "0700", STORE | AUTO,
        "Permissions of directories, octal."),
    row("file_mode", Kind::Octal(0o777), "0600", STORE | AUTO,
        "Permissions of files, octal."),
    row("compression", Kind::Choice(&["none", "lz4", "zstd"]), "none", STORE | REDIS | AUTO,
        "Codec for values that gain by it."),
    row("compression_level", Kind::U64(1, 19), "3", STORE | REDIS | AUTO,
        "Level of zstd."),
    row("compress_min_bytes", Kind::Size(0, ANY), "1024", STORE | REDIS | AUTO,
        "Smaller values are stored as they are."),
    row("url", Kind::Secret, "redis://127.0.0.1:6379/0", REDIS | AUTO,
        "Server: redis://, rediss:// (TLS), redis+cluster://, rediss+cluster:// or unix://."),
    row("username", Kind::Text(1000), "", REDIS | AUTO,
        "User name at the server."),
    row("password", Kind::Secret, "", REDIS | AUTO,
        "Password at the server; never shown."),
    row("key_prefix", Kind::Text(200), "twat:", REDIS | AUTO,
        "What every key on the server begins with."),
    row("connect_timeout_ms", Kind::Time(1), "500", REDIS | AUTO,
        "Milliseconds to wait for a connection."),
    row("timeout_ms", Kind::Time(1), "250", REDIS | AUTO,
        "Milliseconds to wait for an answer."),
    row("pool_size", Kind::U64(1, 1024), "8", REDIS | AUTO,
        "Connections kept at the most."),
    row("tls_ca", Kind::Text(4000), "the system's", REDIS | AUTO,
        "File or directory of PEM certificates that are trusted, in place of the system's and of SSL_CERT_FILE."),
    row("tls_cert", Kind::Text(4000), "", REDIS | AUTO,
        "PEM file of the client's certificate and its chain; needs tls_key."),
    row("tls_key", Kind::Text(4000), "", REDIS | AUTO,
        "PEM file of the client's private key, without a passphrase."),
    row("tls_name", Kind::Text(253), "the host of the url", REDIS | AUTO,
        "Name that the server's certificate must have."),
    row("small_max_bytes", Kind::Size(0, ANY), "0", TIERED,
        "Larger values stay out of the first tier; 0 lets all in."),
    row("large", Kind::Choice(&["through", "around"]), "through", TIERED,
        "Where a value above small_max_bytes goes: through all other tiers, or around them to the last."),
    row("tier_ttl_ms", Kind::Time(0), "1000", TIERED,
        "Milliseconds a first-tier entry over redis may be stale where the server sends no invalidations."),
    row("fallback", Kind::Bool, "false", AUTO,
        "Use memory when the chosen engine cannot be opened."),
];

fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The row of an option, or an error that offers the nearest name.
pub fn find(name: &str) -> Result<&'static OptionSpec> {
    OPTIONS
        .iter()
        .find(|spec| spec.name == name)
        .ok_or_else(|| Error::config(unknown("option", name, OPTIONS.iter().map(|spec| spec.name))))
}

/// Which of some names was probably meant: capital letters, `_` and `-` do not count.
pub fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a str>) -> Option<usize> {
    let letters = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    // What is far longer than any name is near none, and would take long to compare.
    let found: String = letters(found).chars().take(80).collect();
    known
        .map(letters)
        .enumerate()
        .map(|(at, name)| (strsim::damerau_levenshtein(&found, &name), name.len(), at))
        .filter(|(distance, len, _)| *distance <= 1 + len / 4)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, _, at)| at)
}

/// "unknown option 'max_entrys'; did you mean 'max_entries'?"
pub fn unknown<'a>(
    what: &str,
    found: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let near = nearest(found, known.clone()).and_then(|at| known.clone().nth(at));
    let found: String = found.chars().take(80).collect();
    match near {
        Some(name) => format!("unknown {what} '{found}'; did you mean '{name}'?"),
        None => {
            format!("unknown {what} '{found}'; known are {}", known.collect::<Vec<_>>().join(" "))
        }
    }
}

impl OptionSpec {
    /// What is expected, for error texts and the listing.
    pub fn range(&self) -> String {
        match self.kind {
            Kind::Text(max) => format!("text of at most {max} bytes"),
            Kind::Secret => "text".into(),
            Kind::Choice(words) => format!("one of {}", words.join(" ")),
            Kind::Bool => "true or false".into(),
            Kind::U64(0, ANY) => "an integer from 0".into(),
            Kind::U64(min, ANY) => format!("an integer from {min}"),
            Kind::U64(min, max) => format!("an integer from {min} to {max}"),
            Kind::Time(min) => format!("an integer from {min}, or a time such as 1h30m"),
            Kind::Size(min, ANY) => format!("an integer from {min}, or a size such as 500 MB"),
            Kind::Size(min, max) => {
                format!("an integer from {min} to {max}, or a size such as 500 kB")
            }
            Kind::ZeroOrSize(min) => format!("0, an integer from {min}, or a size such as 500 MB"),
            Kind::ZeroOrPowerOfTwo(max) => format!("0 or a power of two up to {max}"),
            Kind::Octal(_) => "octal permissions such as 0700".into(),
        }
    }

    /// The name of the type: `text`, `u64`, `bool` or `octal`.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) | Kind::Secret | Kind::Choice(_) => "text",
            Kind::Bool => "bool",
            Kind::Time(_) | Kind::Size(..) | Kind::ZeroOrSize(_) => "u64",
            Kind::U64(..) | Kind::ZeroOrPowerOfTwo(_) => "u64",
            Kind::Octal(_) => "octal",
        }
    }

    fn wrong(&self, found: impl std::fmt::Display) -> Error {
        let shown: String = match self.kind {
            Kind::Secret => "(not shown)".into(),
            _ => found.to_string().chars().take(80).collect(),
        };
        Error::config(format!("{}: expected {}, found: {shown}", self.name, self.range()))
    }

    /// Checks a value given as text.
    pub fn parse(&self, text: &str) -> Result<OptionValue> {
        match self.kind {
            Kind::Text(max) if text.len() <= max && !text.contains('\0') => {
                Ok(OptionValue::Text(text.to_owned()))
            }
            Kind::Text(_) => Err(self.wrong(format!("{} bytes", text.len()))),
            Kind::Secret => Ok(OptionValue::Text(text.to_owned())),
            Kind::Choice(words) if words.contains(&text) => Ok(OptionValue::Text(text.to_owned())),
            Kind::Bool => match text {
                "true" => Ok(OptionValue::Bool(true)),
                "false" => Ok(OptionValue::Bool(false)),
                _ => Err(self.wrong(text)),
            },
            Kind::Octal(most) => u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| *mode <= most && !text.starts_with('+'))
                .map(|mode| OptionValue::U64(u64::from(mode)))
                .ok_or_else(|| self.wrong(text)),
            Kind::Time(_) => self.measured(text, units::duration_ms),
            Kind::Size(..) | Kind::ZeroOrSize(_) => self.measured(text, units::size_bytes),
            Kind::U64(..) | Kind::ZeroOrPowerOfTwo(_) => {
                decimal(text).map_or_else(|| Err(self.wrong(text)), |n| self.number(n))
            }
            Kind::Choice(_) => Err(self.wrong(text)),
        }
    }

    /// A plain number in the option's own unit, or a number with a unit.
    fn measured(&self, text: &str, read: fn(&str) -> Result<u64>) -> Result<OptionValue> {
        match decimal(text).or_else(|| read(text).ok()) {
            Some(number) => self.number(number).map_err(|_| self.wrong(text)),
            None => Err(self.wrong(text)),
        }
    }

    /// Checks a value given as a number.
    pub fn number(&self, n: u64) -> Result<OptionValue> {
        let fits = match self.kind {
            Kind::U64(min, max) | Kind::Size(min, max) => (min..=max).contains(&n),
            Kind::Time(min) => n >= min,
            Kind::ZeroOrSize(min) => n == 0 || n >= min,
            Kind::ZeroOrPowerOfTwo(max) => n == 0 || (n.is_power_of_two() && n <= max),
            Kind::Bool if n <= 1 => return Ok(OptionValue::Bool(n == 1)),
            _ => false,
        };
        if fits { Ok(OptionValue::U64(n)) } else { Err(self.wrong(n)) }
    }

    /// Checks a value given as a truth value.
    pub fn boolean(&self, value: bool) -> Result<OptionValue> {
        match self.kind {
            Kind::Bool => Ok(OptionValue::Bool(value)),
            Kind::Choice(_) => self.parse(if value { "true" } else { "false" }),
            _ => Err(self.wrong(value)),
        }
    }
}

//! Errors: a stable code and a text that says what was expected and found.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, numbered for ever (the C ABI hands out these values).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Code {
    /// An argument of the call is wrong.
    Arg = -1,
    /// An option is unknown, out of range, or contradicts another.
    Config = -2,
    /// Out of memory.
    NoMem = -3,
    /// The operating system refused a read or a write.
    Io = -4,
    /// No room: a full disk, a full map, or a cache that refuses new entries.
    Full = -5,
    /// A key or value that can never fit.
    TooLarge = -6,
    /// Somebody else holds what is needed.
    Busy = -7,
    /// Stored bytes are not what was written.
    Corrupt = -8,
    /// A server is down or did not answer in time.
    Unavailable = -9,
    /// The handle is closed.
    Closed = -10,
    /// This engine cannot do that.
    Unsupported = -11,
    /// Written by a newer version of the library.
    Version = -12,
    /// A bug in the library: a panic was stopped at the boundary.
    Panic = -99,
}

impl Code {
    /// Every code, for tables and tests.
    pub const ALL: [Code; 13] = [
        Code::Arg,
        Code::Config,
        Code::NoMem,
        Code::Io,
        Code::Full,
        Code::TooLarge,
        Code::Busy,
        Code::Corrupt,
        Code::Unavailable,
        Code::Closed,
        Code::Unsupported,
        Code::Version,
        Code::Panic,
    ];

    /// The name that C code uses, `TWAT_E_CONFIG`.
    pub fn name(self) -> &'static str {
        self.c_name().to_str().unwrap_or_default()
    }

    /// The same name with its closing NUL.
    pub fn c_name(self) -> &'static std::ffi::CStr {
        match self {
            Code::Arg => c"TWAT_E_ARG",
            Code::Config => c"TWAT_E_CONFIG",
            Code::NoMem => c"TWAT_E_NOMEM",
            Code::Io => c"TWAT_E_IO",
            Code::Full => c"TWAT_E_FULL",
            Code::TooLarge => c"TWAT_E_TOO_LARGE",
            Code::Busy => c"TWAT_E_BUSY",
            Code::Corrupt => c"TWAT_E_CORRUPT",
            Code::Unavailable => c"TWAT_E_UNAVAILABLE",
            Code::Closed => c"TWAT_E_CLOSED",
            Code::Unsupported => c"TWAT_E_UNSUPPORTED",
            Code::Version => c"TWAT_E_VERSION",
            Code::Panic => c"TWAT_E_PANIC",
        }
    }
}

/// An error of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    text: Cow<'static, str>,
}

/// Shorthand for the library's results.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with its code and text.
    pub fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// A wrong argument.
    pub fn arg(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Arg, text)
    }

    /// A wrong option.
    pub fn config(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Config, text)
    }

    /// An operation this engine does not have.
    pub fn unsupported(engine: &str, operation: &str) -> Self {
        Self::new(Code::Unsupported, format!("engine '{engine}' has no {operation}"))
    }

    /// An operating-system error with what was being done.
    /// `ENOSPC`, `EDQUOT` and `EFBIG` become [`Code::Full`].
    pub fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let code = match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Code::Full,
            Kind::OutOfMemory => Code::NoMem,
            _ => Code::Io,
        };
        Self::new(code, format!("{doing}: {error}"))
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

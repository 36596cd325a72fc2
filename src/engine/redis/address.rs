//! Where the server is: the `url` option and its companions, checked at open.

use super::url;
use crate::base::error::{Error, Result};
use crate::config::{Config, OptionValue};
use std::fmt;
use std::path::PathBuf;

/// One server process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// Host name or IP address, and port.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The credentials and the database of a connection. Has no `Debug`: it holds
/// the password.
#[derive(Clone, Default)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: i64,
}

/// The files and the name that TLS uses; `None` is the default of each.
#[derive(Clone, Default)]
pub struct TlsOptions {
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
    pub name: Option<String>,
}

/// The whole of what `url` and its companion options say.
#[derive(Clone, Default)]
pub struct Target {
    /// One address, or the first ones to ask in a cluster.
    pub seeds: Vec<Address>,
    pub cluster: bool,
    pub tls: bool,
    pub tls_options: TlsOptions,
    pub login: Login,
    pub timeout_ms: Option<u64>,
    pub connect_timeout_ms: Option<u64>,
    pub pool_size: Option<u64>,
}

impl Target {
    /// Reads the options. An option takes precedence over the URL.
    pub fn from_config(config: &Config) -> Result<Self> {
        let mut target = url::parse(config.text("url"))?;
        let tls = &mut target.tls_options;
        for (name, slot) in [
            ("username", &mut target.login.user),
            ("password", &mut target.login.password),
            ("tls_ca", &mut tls.ca),
            ("tls_cert", &mut tls.cert),
            ("tls_key", &mut tls.key),
            ("tls_name", &mut tls.name),
        ] {
            // Given, not defaulted: the table's default may be words.
            if let Some(OptionValue::Text(given)) = config.given(name)
                && !given.is_empty()
            {
                *slot = Some(given.clone());
            }
        }
        if target.login.user.is_some() && target.login.password.is_none() {
            return Err(Error::config(
                "username: expected a password beside it, found none; a password alone is \
                 redis://:password@host",
            ));
        }
        target.check_tls()?;
        Ok(target)
    }

    fn check_tls(&self) -> Result<()> {
        let TlsOptions { ca, cert, key, name } = &self.tls_options;
        for (option, given) in
            [("tls_ca", ca), ("tls_cert", cert), ("tls_key", key), ("tls_name", name)]
        {
            if given.is_some() && !self.tls {
                return Err(Error::config(format!(
                    "{option}: expected a url of rediss:// (TLS) beside it, found one without TLS"
                )));
            }
        }
        match (cert, key) {
            (Some(_), None) => {
                Err(Error::config("tls_cert: expected its tls_key beside it, found none"))
            }
            (None, Some(_)) => {
                Err(Error::config("tls_key: expected its tls_cert beside it, found none"))
            }
            _ => Ok(()),
        }
    }

    /// A number: the option if it is given, else the URL's, else the default.
    pub fn number(config: &Config, option: &str, from_url: Option<u64>) -> u64 {
        match (config.given(option), from_url) {
            (None, Some(number)) => number,
            _ => config.u64(option),
        }
    }

    /// The addresses as text, without credentials.
    pub fn shown(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(ToString::to_string).collect();
        seeds.join(",")
    }
}

//! Where the server is: the `url` option and its companions, checked at open.
//!
//! A URL may hold a password, so no error of this file repeats any part of it
//! but its scheme and what is wrong.

use crate::config::Config;
use crate::error::{Error, Result};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

/// Bytes a socket's path may have (`sockaddr_un`, less the closing NUL).
const MAX_SOCKET_PATH: usize = 107;
const DEFAULT_PORT: u16 = 6379;
const FORMS: &str = "redis://, rediss:// (TLS), redis+cluster://, rediss+cluster:// or unix://";

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

/// What a connection says first. Has no `Debug`: it holds the password.
#[derive(Clone, Default)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: i64,
}

/// The whole of what `url`, `username` and `password` say.
#[derive(Clone)]
pub struct Target {
    /// One address, or the first ones to ask in a cluster.
    pub seeds: Vec<Address>,
    pub cluster: bool,
    pub tls: bool,
    pub login: Login,
}

impl Target {
    /// Reads the options.
    pub fn from_config(config: &Config) -> Result<Self> {
        let mut target = parse(config.text("url"))?;
        for (name, slot) in
            [("username", &mut target.login.user), ("password", &mut target.login.password)]
        {
            let given = config.text(name);
            if !given.is_empty() {
                *slot = Some(given.to_owned());
            }
        }
        if target.login.user.is_some() && target.login.password.is_none() {
            return Err(Error::config("username: expected a password beside it, found none"));
        }
        Ok(target)
    }

    /// The addresses as text, without credentials.
    pub fn shown(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(ToString::to_string).collect();
        seeds.join(",")
    }
}

fn parse(url: &str) -> Result<Target> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or_else(|| Error::config(format!("url: expected {FORMS}, found no scheme")))?;
    let (cluster, tls) = match scheme {
        "unix" | "redis+unix" => return unix(rest),
        "redis" | "valkey" => (false, false),
        "rediss" | "valkeys" => (false, true),
        "redis+cluster" => (true, false),
        "rediss+cluster" => (true, true),
        other => {
            let shown: String = other.chars().take(20).filter(char::is_ascii_graphic).collect();
            return Err(Error::config(format!("url: expected {FORMS}, found scheme '{shown}'")));
        }
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if tail.contains('#') {
        return Err(Error::config("url: expected no '#…' part, found one"));
    }
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > 1 && !cluster {
        return Err(Error::config("url: several hosts need redis+cluster://"));
    }
    let mut seeds = Vec::new();
    let mut login = Login::default();
    for host in hosts {
        check_host(host)?;
        let (address, found) = one(user, host, tail)?;
        seeds.push(address);
        login = found;
    }
    if cluster && login.database != 0 {
        return Err(Error::config(format!(
            "url: a cluster has database 0 only, found: {}",
            login.database
        )));
    }
    Ok(Target { seeds, cluster, tls, login })
}

/// The URL parser says only that a URL does not parse; this says why.
fn check_host(host: &str) -> Result<()> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if name.is_empty() {
        return Err(Error::config("url: expected a host, found none"));
    }
    let Some(port) = port else { return Ok(()) };
    if port.parse::<u16>().is_ok_and(|port| port != 0) {
        return Ok(());
    }
    // What stands for the port may be a piece of a password with a bare '/'.
    let shown = if port.bytes().all(|b| b.is_ascii_digit()) { port } else { "(not a number)" };
    Err(Error::config(format!("url: expected a port from 1 to 65535, found: {shown:.20}")))
}

/// One host with what stands around it. The URL crate that the redis crate
/// would use brings tables of Unicode along, which host names here never need.
fn one(user: Option<&str>, host: &str, tail: &str) -> Result<(Address, Login)> {
    let login = Login { database: database(tail)?, ..login(user)? };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().unwrap_or(DEFAULT_PORT)),
        _ => (host, DEFAULT_PORT),
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let plain = |c: char| c.is_alphanumeric() || ".-_:%".contains(c);
    if !name.chars().all(plain) || (name.contains(':') && name.parse::<Ipv6Addr>().is_err()) {
        let text = "url: the host is neither a name nor an address (the URL is not shown: it may \
            hold a password)";
        return Err(Error::config(text));
    }
    Ok((Address::Tcp(name.to_owned(), port), login))
}

/// `user:password`, percent-encoded.
fn login(user: Option<&str>) -> Result<Login> {
    let Some((user, password)) = user.map(|user| user.split_once(':').unwrap_or((user, ""))) else {
        return Ok(Login::default());
    };
    let part = |text: &str| -> Result<Option<String>> {
        let decoded = percent_decode_str(text).decode_utf8().map_err(|_| {
            Error::config("url: user and password are expected to be percent-encoded UTF-8")
        })?;
        Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
    };
    Ok(Login { user: part(user)?, password: part(password)?, database: 0 })
}

/// `/7` and an optional `?…`, which other clients use and we do not.
fn database(tail: &str) -> Result<i64> {
    let path = tail.split('?').next().unwrap_or_default().trim_matches('/');
    if path.is_empty() {
        return Ok(0);
    }
    path.parse().ok().filter(|number| *number >= 0).ok_or_else(|| {
        Error::config("url: expected a database from 0 after the host, found something else")
    })
}

fn unix(rest: &str) -> Result<Target> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // `unix://:password@/path` is common beside `?pass=`; both are taken.
    let (user, path) = match path.split_once("@/") {
        Some((user, path)) => (Some(user), format!("/{path}")),
        None => (None, path.to_owned()),
    };
    if !path.starts_with('/') || path.len() > MAX_SOCKET_PATH {
        return Err(Error::config(format!(
            "url: expected unix:// and an absolute path of at most {MAX_SOCKET_PATH} bytes, \
             found a path of {} bytes",
            path.len()
        )));
    }
    let mut login = login(user)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "db" => {
                login.database = value.parse().ok().filter(|db| *db >= 0).ok_or_else(|| {
                    Error::config("url: expected a database from 0 as db=, found something else")
                })?;
            }
            "user" => login.user = self::login(Some(value))?.user,
            "pass" => login.password = self::login(Some(&format!(":{value}")))?.password,
            _ => return Err(Error::config("url: expected db=, user= or pass= after '?'")),
        }
    }
    Ok(Target { seeds: vec![Address::Unix(path.into())], cluster: false, tls: false, login })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn urls_are_taken_apart() {
        for (url, seeds, cluster, tls, database) in [
            ("redis://127.0.0.1", "127.0.0.1:6379", false, false, 0),
            ("redis://u:p%40@h:1/7", "h:1", false, false, 7),
            ("rediss://[::1]:5", "[::1]:5", false, true, 0),
            ("redis+cluster://a:1,b:2,c", "a:1,b:2,c:6379", true, false, 0),
            ("unix:///run/r.sock?db=2", "/run/r.sock", false, false, 2),
            ("unix://u:p%40@/run/r.sock", "/run/r.sock", false, false, 0),
        ] {
            let target = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let found = (target.shown(), target.cluster, target.tls, target.login.database);
            assert_eq!(found, (seeds.to_owned(), cluster, tls, database), "{url}");
            if url.contains("u:p") {
                assert_eq!(target.login.user.as_deref(), Some("u"));
                assert_eq!(target.login.password.as_deref(), Some("p@"));
            }
        }
    }

    #[test]
    fn a_bad_url_is_a_configuration_error_that_does_not_repeat_it() {
        for url in [
            "",
            "127.0.0.1:6379",
            "http://:hunter2@h",
            "redis://:hunter2@h:99999",
            "redis://:hunter2@h:0",
            "redis://:hunter2@h:port",
            "redis://:hunter2@:1",
            "redis://:hunter2@h/one",
            "redis://:hunter2@h/-1",
            "redis://:hunter2@a,b",
            "redis://:hunter2@h/0#insecure",
            "redis://:hunter2/x@h:1",
            "redis+cluster://:hunter2@h/3",
            "unix://:hunter2@relative",
            "unix:///s?pass=hunter2&what=1",
        ] {
            let Err(error) = parse(url) else { panic!("{url} was taken") };
            assert_eq!(error.code(), Code::Config, "{url}");
            assert!(!error.text().contains("hunter2"), "{error}");
            assert!(error.text().starts_with("url: "), "{error}");
        }
        let Err(error) = parse("redis://h:70000") else { panic!("taken") };
        assert_eq!(error.text(), "url: expected a port from 1 to 65535, found: 70000");
    }
}

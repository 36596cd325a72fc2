//! Reads a URL: scheme, login, hosts, database, and the parameters behind `?`.
//!
//! A URL may hold a password, and a password that is not percent-encoded moves
//! the borders of all parts. So error texts repeat the scheme, names of
//! parameters, numbers and code points, and nothing else.

use super::address::{Address, Login, Target};
use super::parameters::parameters;
use crate::base::error::{Error, Result};
use crate::config::options;
use percent_encoding::percent_decode_str;
use std::net::Ipv6Addr;

/// Bytes a socket's path may have (`sockaddr_un`, less the closing NUL).
const MAX_SOCKET_PATH: usize = 107;
const DEFAULT_PORT: u16 = 6379;
const FORMS: &str = "redis://, rediss:// (TLS), redis+cluster://, rediss+cluster:// or unix://";
const ENCODE: &str = "in a user or password, / ? # @ and blanks are written %2F %3F %23 %40 %20";
const SCHEMES: [&str; 10] = [
    "redis",
    "rediss",
    "redis+cluster",
    "rediss+cluster",
    "unix",
    "redis+unix",
    "valkey",
    "valkeys",
    "valkey+cluster",
    "valkeys+cluster",
];
/// An error of this option.
pub fn wrong(what: impl std::fmt::Display) -> Error {
    Error::config(format!("url: {what}"))
}

/// Reads a URL.
pub fn parse(url: &str) -> Result<Target> {
    check_edges(url)?;
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| wrong(format!("expected {FORMS}, found no '://'")))?;
    let scheme = known_scheme(scheme)?;
    if let Some(c) = rest.chars().find(|c| c.is_control()) {
        return Err(wrong(format!("expected text, found {} within it; {ENCODE}", named(c))));
    }
    let (body, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut target = Target::default();
    let database = if scheme.ends_with("unix") {
        unix(body, &mut target)?;
        None
    } else {
        target.tls = scheme.starts_with("rediss") || scheme.starts_with("valkeys");
        target.cluster = scheme.ends_with("+cluster");
        network(body, query, &mut target)?
    };
    parameters(query, database, &mut target)?;
    if target.cluster && target.login.database != 0 {
        let database = target.login.database;
        return Err(wrong(format!("a cluster has database 0 only, found: {database}")));
    }
    Ok(target)
}

/// What copying and shells leave around a URL.
fn check_edges(url: &str) -> Result<()> {
    let (Some(first), Some(last)) = (url.chars().next(), url.chars().next_back()) else {
        return Err(wrong(format!("expected {FORMS}, found an empty text")));
    };
    for (c, place) in [(first, "start"), (last, "end")] {
        let stray = c.is_whitespace() || c.is_control() || "\"'`<>\u{feff}\u{200b}".contains(c);
        if stray {
            return Err(wrong(format!(
                "expected nothing around the URL, found {} at its {place}; remove it",
                named(c)
            )));
        }
    }
    Ok(())
}

/// A character that cannot be seen, in words.
fn named(c: char) -> String {
    match c {
        '\n' | '\r' => "a line break".into(),
        '\t' => "a tab".into(),
        ' ' => "a blank".into(),
        '\0' => "a NUL byte".into(),
        '"' | '\'' | '`' => "a quotation mark".into(),
        '<' | '>' => "an angle bracket".into(),
        other => format!("the invisible character U+{:04X}", other as u32),
    }
}

/// Schemes are the same in any case (RFC 3986).
fn known_scheme(scheme: &str) -> Result<&'static str> {
    let lower = scheme.to_ascii_lowercase();
    if let Some(known) = SCHEMES.iter().find(|known| **known == lower) {
        return Ok(known);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    if lower.len() > 20 || !lower.chars().all(plain) {
        return Err(wrong(format!("expected {FORMS}, found another scheme (not shown)")));
    }
    if lower.contains("sentinel") {
        return Err(wrong(
            "expected the address of the server, found a scheme of Sentinel, which is not \
             supported; name the master, or an endpoint that follows it",
        ));
    }
    Err(wrong(options::unknown("scheme", &lower, SCHEMES.iter().copied())))
}

/// `[user[:password]@]host[:port][,host[:port]…][/db]`; returns the database where it is given.
fn network(body: &str, query: &str, target: &mut Target) -> Result<Option<i64>> {
    let (authority, path) = match body.find(['/', '#']) {
        Some(end) => body.split_at(end),
        None => (body, ""),
    };
    if path.contains('@') || query.contains('@') {
        return Err(wrong(format!("expected '@' only before the host; {ENCODE}")));
    }
    if path.contains('#') || query.contains('#') {
        return Err(wrong(format!("expected no '#', found one; {ENCODE}")));
    }
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let hosts: Vec<&str> = hosts.split(',').collect();
    if hosts.len() > 1 && !target.cluster {
        return Err(wrong("expected one host, found several, which need redis+cluster://"));
    }
    for host in hosts {
        target.seeds.push(address(host)?);
    }
    target.login = login(user)?;
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Ok(None);
    }
    let found = database(path)
        .ok_or_else(|| wrong("expected a database from 0 after the host, found another text"))?;
    target.login.database = found;
    Ok(Some(found))
}

/// `host`, `host:port`, `[address]` or `[address]:port`. The URL crate that the
/// redis crate would use brings tables of Unicode along, which host names here
/// never need, and says only that a URL does not parse.
fn address(host: &str) -> Result<Address> {
    if let Some(c) = host.chars().find(|c| c.is_whitespace()) {
        return Err(wrong(format!("expected a host, found {} within it; {ENCODE}", named(c))));
    }
    if !host.is_ascii() {
        return Err(wrong(
            "expected a host name in ASCII, found a character beyond it; write an international \
             name in its xn-- form (Punycode)",
        ));
    }
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest
                .split_once(']')
                .ok_or_else(|| wrong("expected ']' after an IPv6 address, found none"))?;
            let name = name.replacen("%25", "%", 1);
            // A zone may follow: fe80::1%eth0.
            if name.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().is_err() {
                return Err(wrong("expected an IPv6 address between '[' and ']'"));
            }
            match (port, port.strip_prefix(':')) {
                ("", _) => (name, None),
                (_, Some(port)) => (name, Some(port)),
                _ => return Err(wrong("expected ':' and a port after ']', found another text")),
            }
        }
        None if host.matches(':').count() > 1 => {
            return Err(wrong(
                "expected one ':' between host and port, found several; an IPv6 address is \
                 written in brackets: redis://[::1]:6379",
            ));
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name.to_owned(), Some(port)),
            None => (host.to_owned(), None),
        },
    };
    if name.is_empty() {
        return Err(wrong(format!("expected a host, found none; {ENCODE}")));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if !host.starts_with('[') && !name.chars().all(plain) {
        return Err(wrong(format!(
            "expected a host name or an address, found a character that neither has; {ENCODE}; a \
             socket file is unix:///path"
        )));
    }
    Ok(Address::Tcp(name, port.map_or(Ok(DEFAULT_PORT), self::port)?))
}

fn port(port: &str) -> Result<u16> {
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if let Some(port) = port.parse::<u16>().ok().filter(|port| digits && *port != 0) {
        return Ok(port);
    }
    // The text in the port's place may be a piece of a password with a bare '/'.
    let shown = if digits { port } else { "(not a number)" };
    Err(wrong(format!("expected a port from 1 to 65535, found: {shown:.20}")))
}

/// `user:password`, percent-encoded.
fn login(user: Option<&str>) -> Result<Login> {
    let Some((user, password)) = user.map(|user| user.split_once(':').unwrap_or((user, ""))) else {
        return Ok(Login::default());
    };
    let part = |text| Ok(Some(decoded(text)?).filter(|text| !text.is_empty()));
    Ok(Login { user: part(user)?, password: part(password)?, database: 0 })
}

/// Decodes percent-encoding.
pub fn decoded(text: &str) -> Result<String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| wrong("expected percent-encoded UTF-8, found other bytes"))
}

/// The number of a database.
pub fn database(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| *number >= 0 && !text.starts_with('+'))
}

fn unix(body: &str, target: &mut Target) -> Result<()> {
    // `unix://:password@/path` is common beside `?pass=`; both are taken.
    let (user, path) = match body.split_once("@/") {
        Some((user, path)) => (Some(user), format!("/{path}")),
        None => (None, body.to_owned()),
    };
    if !path.starts_with('/') || path.len() > MAX_SOCKET_PATH {
        return Err(wrong(format!(
            "expected unix:// and an absolute path of at most {MAX_SOCKET_PATH} bytes, found a \
             path of {} bytes{}",
            path.len(),
            if path.starts_with('/') { "" } else { " that does not begin with '/'" }
        )));
    }
    target.login = login(user)?;
    target.seeds = vec![Address::Unix(path.into())];
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::Code;

    #[test]
    fn urls_are_taken_apart() {
        for (url, seeds, cluster, tls, database) in [
            ("redis://127.0.0.1", "127.0.0.1:6379", false, false, 0),
            ("redis://u:p%40@h:1/7", "h:1", false, false, 7),
            ("rediss://[::1]:5", "[::1]:5", false, true, 0),
            ("redis://[fe80::1%25eth0]", "[fe80::1%eth0]:6379", false, false, 0),
            ("redis+cluster://a:1,b:2,c", "a:1,b:2,c:6379", true, false, 0),
            ("unix:///run/r.sock?db=2", "/run/r.sock", false, false, 2),
            ("unix://u:p%40@/run/r.sock", "/run/r.sock", false, false, 0),
            ("unix:///run/r.sock?user=u&pass=p%40", "/run/r.sock", false, false, 0),
            ("redis://h?db=5", "h:6379", false, false, 5),
            ("redis://h/?db=5", "h:6379", false, false, 5),
            ("redis://h:7/5?db=5&", "h:7", false, false, 5),
            ("redis://h?ssl=true", "h:6379", false, true, 0),
            ("redis://h?tls=no", "h:6379", false, false, 0),
            ("rediss://h?ssl=1", "h:6379", false, true, 0),
            ("REDIS+Cluster://a?tls=true", "a:6379", true, true, 0),
            ("valkeys://h?user=u&pass=p%40", "h:6379", false, true, 0),
        ] {
            let target = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let found = (target.shown(), target.cluster, target.tls, target.login.database);
            assert_eq!(found, (seeds.to_owned(), cluster, tls, database), "{url}");
            if url.contains("p%40") {
                assert_eq!(target.login.user.as_deref(), Some("u"));
                assert_eq!(target.login.password.as_deref(), Some("p@"));
            }
        }
        let target =
            parse("rediss://h?timeout=0.5s&connect_timeout_ms=900&pool_size=3&tls_ca=/a%20b")
                .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((target.timeout_ms, target.connect_timeout_ms), (Some(500), Some(900)));
        assert_eq!((target.pool_size, target.tls_options.ca.as_deref()), (Some(3), Some("/a b")));
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
            "redis://u:1?hunter2=x@h:1",
            "redis://u:1#hunter2@h:1",
            "redis://u:1/hunter2@h:1",
            "redis+cluster://:hunter2@h/3",
            "redis+cluster://:hunter2@h?db=3",
            "unix://:hunter2@relative",
            "unix:///s?pass=hunter2&what=1",
            "redis://h?pass=hunter2&pass=other",
            "redis://h?hun%74er2=hunter2",
        ] {
            let Err(error) = parse(url) else { panic!("{url} was taken") };
            assert_eq!(error.code(), Code::Config, "{url}");
            assert!(!error.text().contains("hunter2"), "{error}");
            assert!(error.text().starts_with("url: "), "{error}");
        }
    }

    #[test]
    fn an_error_names_the_cause() {
        for (url, cause) in [
            ("redis://h:70000", "expected a port from 1 to 65535, found: 70000"),
            (" redis://h", "a blank at its start"),
            ("redis://h\n", "a line break at its end"),
            ("redis://h\t", "a tab at its end"),
            ("\"redis://h\"", "a quotation mark at its start"),
            ("redis://h\u{feff}", "U+FEFF at its end"),
            ("redis://a\nb", "a line break within it"),
            ("redis://a b", "a blank within it"),
            ("redis://b\u{fc}cher.example", "Punycode"),
            ("redis://::1", "written in brackets"),
            ("redis://[::1", "expected ']'"),
            ("redis://[h]", "an IPv6 address"),
            ("redis://[::1]x", "after ']'"),
            ("redsi://h", "did you mean 'redis'"),
            ("redis-sentinel://h", "Sentinel"),
            ("redis://h?dB=5", "did you mean 'db'"),
            ("redis://h?SSL=true", "did you mean 'ssl'"),
            ("rediss://h?ssl_cert_reqs=none", "did you mean 'tls_ca'"),
            ("redis://h?timeot=5s", "did you mean 'timeout'"),
            ("redis://h?decode_responses=true", "unknown parameter 'decode_responses'"),
            ("redis://h?db=x", "parameter db"),
            ("redis://h/2?db=5", "parameter db"),
            ("redis://h/0?db=5", "parameter db"),
            ("redis://h?db=2&db=5", "parameter db"),
            ("redis://u:p@h?pass=q", "parameter pass"),
            ("redis://h?timeout=5", "its unit"),
            ("redis://h?timeout=5h", "its unit"),
            ("redis://h?timeout=0s", "at least 1 ms"),
            ("redis://h?ssl=maybe", "parameter ssl"),
            ("rediss://h?ssl=false", "parameter ssl"),
            ("unix:///s?ssl=true", "no TLS"),
            ("redis://h?pool_size=0", "parameter pool_size"),
            ("redis://%2Frun%2Fr.sock", "unix:///path"),
        ] {
            let Err(error) = parse(url) else { panic!("{url} was taken") };
            assert!(error.text().contains(cause), "{url}: {error}");
        }
    }
}

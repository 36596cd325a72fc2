//! The parameters of a URL, `?name=value&…`.

use super::address::{Address, Target};
use super::url::{database, decoded, wrong};
use crate::base::error::{Error, Result};
use crate::config::options;

/// The parameters behind `?`.
const PARAMETERS: [&str; 16] = [
    "db",
    "user",
    "username",
    "pass",
    "password",
    "ssl",
    "tls",
    "timeout",
    "timeout_ms",
    "connect_timeout",
    "connect_timeout_ms",
    "pool_size",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "tls_name",
];

/// Uses or refuses each parameter. None may contradict another part of the URL.
pub fn parameters(query: &str, database_in_path: Option<i64>, target: &mut Target) -> Result<()> {
    let (mut database_given, mut tls_given) = (database_in_path, target.tls.then_some(true));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)?;
        let bad = |expected: &str| wrong(format!("parameter {name}: expected {expected}"));
        match name {
            "db" => {
                let number = database(&value).ok_or_else(|| bad("a database from 0"))?;
                if let Some(known) = database_given.filter(|known| *known != number) {
                    return Err(bad(&format!("{known}, as before it in the URL, found: {number}")));
                }
                database_given = Some(number);
                target.login.database = number;
            }
            "ssl" | "tls" => {
                let on = truth(&value).ok_or_else(|| bad("true or false"))?;
                if on && matches!(target.seeds[..], [Address::Unix(_)]) {
                    return Err(bad("false, as a socket file has no TLS"));
                }
                once(name, &mut tls_given, on)?;
                target.tls = on;
            }
            "timeout" | "timeout_ms" => {
                once(name, &mut target.timeout_ms, milliseconds(name, &value)?)?;
            }
            "connect_timeout" | "connect_timeout_ms" => {
                once(name, &mut target.connect_timeout_ms, milliseconds(name, &value)?)?;
            }
            "pool_size" => {
                let size = value.parse().ok().filter(|n| (1..=1024).contains(n));
                let size = size.ok_or_else(|| bad("an integer from 1 to 1024"))?;
                once(name, &mut target.pool_size, size)?;
            }
            _ => match text_slot(name, target) {
                Some(_) if value.is_empty() => {}
                Some(slot) => once(name, slot, value)?,
                None => return Err(unknown_parameter(name)),
            },
        }
    }
    Ok(())
}

/// Where the value of a parameter that is any text is kept.
fn text_slot<'t>(name: &str, target: &'t mut Target) -> Option<&'t mut Option<String>> {
    Some(match name {
        "user" | "username" => &mut target.login.user,
        "pass" | "password" => &mut target.login.password,
        "tls_ca" => &mut target.tls_options.ca,
        "tls_cert" => &mut target.tls_options.cert,
        "tls_key" => &mut target.tls_options.key,
        "tls_name" => &mut target.tls_options.name,
        _ => return None,
    })
}

/// What other clients call them.
const ELSEWHERE: [(&str, &str); 14] = [
    ("database", "db"),
    ("socket_timeout", "timeout"),
    ("read_timeout", "timeout"),
    ("write_timeout", "timeout"),
    ("socket_connect_timeout", "connect_timeout"),
    ("dial_timeout", "connect_timeout"),
    ("max_connections", "pool_size"),
    ("ssl_ca_certs", "tls_ca"),
    ("ssl_ca_path", "tls_ca"),
    ("ssl_certfile", "tls_cert"),
    ("ssl_keyfile", "tls_key"),
    ("ssl_cert_reqs", "tls_ca"),
    ("ssl_check_hostname", "tls_name"),
    ("servername", "tls_name"),
];

fn unknown_parameter(name: &str) -> Error {
    let lower = name.to_ascii_lowercase();
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == lower).map(|(_, ours)| *ours);
    if let Some(ours) = PARAMETERS.iter().find(|known| **known == lower).copied().or(elsewhere) {
        return wrong(format!("unknown parameter '{name}'; did you mean '{ours}'?"));
    }
    // A name of other characters may be a piece of a password with a bare '?'.
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) {
        return wrong(options::unknown("parameter", name, PARAMETERS.iter().copied()));
    }
    wrong(format!("unknown parameter behind '?'; known are {}", PARAMETERS.join(" ")))
}

/// Sets what is not set yet, or is the same.
fn once<T: PartialEq>(name: &str, slot: &mut Option<T>, value: T) -> Result<()> {
    if slot.as_ref().is_some_and(|known| *known != value) {
        return Err(wrong(format!(
            "parameter {name}: expected what the rest of the URL says, found another value"
        )));
    }
    *slot = Some(value);
    Ok(())
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A time with its unit; without one only where the parameter's name has it.
fn milliseconds(name: &str, value: &str) -> Result<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let scale = match unit {
        "ms" => Some(1.0),
        "s" => Some(1000.0),
        "m" | "min" => Some(60_000.0),
        "" if name.ends_with("_ms") => Some(1.0),
        _ => None,
    };
    let ms = number.parse::<f64>().ok().zip(scale).map(|(number, scale)| number * scale);
    ms.filter(|ms| (1.0..=4e9).contains(ms)).map(|ms| ms as u64).ok_or_else(|| {
        wrong(format!(
            "parameter {name}: expected a time of at least 1 ms with its unit, such as 250ms or 2s"
        ))
    })
}

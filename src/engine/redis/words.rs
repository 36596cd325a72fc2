//! Errors in words: what a transport or a server's refusal means, and what to do.

use super::address::Address;
use super::resp::Refusal;
use super::tls_words;
use crate::base::error::{Code, Error};
use std::io::{self, ErrorKind};

/// The error of a connection that cannot be made or broke.
pub fn transport(address: &Address, error: &io::Error) -> Error {
    let reason = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => format!("TLS: {}", tls_words::reason(tls)),
        None => io_reason(error),
    };
    down(address, reason)
}

/// An error of a server that cannot be used.
pub fn down(address: &Address, reason: impl std::fmt::Display) -> Error {
    Error::new(Code::Unavailable, format!("redis at {address}: {reason}"))
}

/// The error of a server that said why before it closed the connection.
pub fn closed_with(address: &Address, last: &Refusal) -> Error {
    if is_too_large(last) {
        return Error::new(Code::TooLarge, format!("redis at {address}: {TOO_LARGE}"));
    }
    down(address, format!("the server closed the connection: {}", quoted(last)))
}

const TOO_LARGE: &str = "the value is larger than the server takes in one piece; raise its \
    proto-max-bulk-len, or store smaller values";

fn is_too_large(refusal: &Refusal) -> bool {
    refusal.text().contains("invalid bulk length")
}

/// What a server said, at a length that fits an error.
pub fn quoted(refusal: &Refusal) -> String {
    refusal.text().chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The reason alone, without the number that the system gives it.
pub fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "it broke the connection".to_owned()
        }
        ErrorKind::ConnectionRefused => "connection refused: no server listens there".to_owned(),
        _ => {
            let text = error.to_string();
            let end = text.rfind(" (os error ").unwrap_or(text.len());
            text[..end].to_owned()
        }
    }
}

/// An error that the server answered to a command.
pub fn refused(refusal: &Refusal) -> Error {
    let place = match &refusal.at {
        Some(address) => format!("redis at {address}"),
        None => "redis".to_owned(),
    };
    let (code, reason) = match refusal.cause() {
        "LOADING" => (Code::Unavailable, "the server is loading its data; try again later"),
        "READONLY" => (
            Code::Unavailable,
            "the server is a read-only replica; after a failover the next call connects anew, \
             else the url must name the master",
        ),
        "MASTERDOWN" => (
            Code::Unavailable,
            "the server is a replica that has lost its master; the next call connects anew",
        ),
        "MOVED" | "ASK" => (
            Code::Unavailable,
            "the server is a node of a cluster; use redis+cluster:// (or rediss+cluster://) in \
             the url",
        ),
        "CLUSTERDOWN" => (
            Code::Unavailable,
            "the cluster is down: a part of its slots has no node, or its nodes do not reach each \
             other",
        ),
        "TRYAGAIN" => (Code::Unavailable, "a slot of the cluster is being moved; try again"),
        "BUSY" => {
            (Code::Unavailable, "the server runs a script that does not end; SCRIPT KILL ends it")
        }
        "NOREPLICAS" => (
            Code::Unavailable,
            "the server has too few replicas for a write (min-replicas-to-write)",
        ),
        "NOAUTH" => (Code::Unavailable, "the server demands a login; set password (and username)"),
        "WRONGPASS" => {
            (Code::Unavailable, "the server refuses the login; check username and password")
        }
        "OOM" => (
            Code::Full,
            "the server is at its maxmemory and evicts nothing; raise maxmemory, or set \
             maxmemory-policy allkeys-lru",
        ),
        "MISCONF" => (
            Code::Full,
            "the server refuses writes because it cannot save its data; look at its log and its \
             disk, or set stop-writes-on-bgsave-error no",
        ),
        "NOPERM" => (
            Code::Io,
            "the user may not do this; docs/redis.md has an ACL rule with all rights that are \
             needed",
        ),
        _ if is_too_large(refusal) => (Code::TooLarge, TOO_LARGE),
        _ => (Code::Io, "the server refuses a command"),
    };
    Error::new(code, format!("{place}: {reason} ({})", quoted(refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_do_also_from_within_a_script() {
        for (text, code, cause) in [
            ("LOADING Redis is loading the dataset in memory", Code::Unavailable, "loading"),
            ("OOM command not allowed when used memory > 'maxmemory'.", Code::Full, "maxmemory"),
            (
                "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed",
                Code::Full,
                "maxmemory",
            ),
            (
                "ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't",
                Code::Unavailable,
                "read-only replica",
            ),
            ("MOVED 3999 10.0.0.1:6381", Code::Unavailable, "redis+cluster://"),
            ("MISCONF Redis is configured to save", Code::Full, "cannot save"),
            ("NOPERM this user has no permissions", Code::Io, "ACL"),
            ("ERR unknown command 'EVAL'", Code::Io, "unknown command 'EVAL'"),
        ] {
            let error = refused(&Refusal::new(text));
            assert_eq!(error.code(), code, "{error}");
            assert!(error.text().contains(cause), "{error}");
        }
    }

    #[test]
    fn a_reason_has_no_number_of_the_system() {
        for errno in [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENOENT, libc::EACCES] {
            let reason = io_reason(&io::Error::from_raw_os_error(errno));
            assert!(!reason.contains("os error") && !reason.is_empty(), "{reason}");
        }
    }
}

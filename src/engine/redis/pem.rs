//! Certificates and keys in PEM files, and what is wrong with a file that has none.

use super::words::io_reason;
use crate::base::error::{Error, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::ffi::OsStr;
use std::path::Path;

/// Far more than all authorities of the world take.
const MAX_FILE: u64 = 16 << 20;

/// The certificates that are trusted.
pub struct Trusted {
    pub certificates: Vec<CertificateDer<'static>>,
    /// Whether somebody named them, instead of the system.
    pub explicit: bool,
    /// The option or variable that says where they are, for errors.
    pub place: String,
}

/// Those of `tls_ca`, else of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the system's.
pub fn trusted(ca: Option<&str>) -> Result<Trusted> {
    if let Some(ca) = ca {
        let path = Path::new(ca);
        let certificates = match path.is_dir() {
            true => directory("tls_ca", path)?,
            false => chain("tls_ca", path)?,
        };
        return Ok(Trusted { certificates, explicit: true, place: format!("tls_ca: {ca}") });
    }
    let (file, directories) = (given("SSL_CERT_FILE")?, given("SSL_CERT_DIR")?);
    if file.is_none() && directories.is_none() {
        return system();
    }
    let mut certificates = Vec::new();
    if let Some(file) = &file {
        certificates.extend(chain("SSL_CERT_FILE", Path::new(file))?);
    }
    // A list, in which some often do not exist: one that has certificates is enough.
    let mut failure = None;
    for path in directories.iter().flat_map(|list| std::env::split_paths(list)) {
        match directory("SSL_CERT_DIR", &path) {
            Ok(found) => certificates.extend(found),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if certificates.is_empty() => Err(error),
        _ => {
            let place = if file.is_some() { "SSL_CERT_FILE" } else { "SSL_CERT_DIR" };
            Ok(Trusted { certificates, explicit: true, place: place.to_owned() })
        }
    }
}

/// A variable of the environment that must have a value where it is set.
fn given(name: &str) -> Result<Option<std::ffi::OsString>> {
    match std::env::var_os(name) {
        Some(value) if value.is_empty() => {
            Err(Error::config(format!("{name}: expected a path, found an empty text; unset it")))
        }
        value => Ok(value),
    }
}

fn system() -> Result<Trusted> {
    let certificates = rustls_native_certs::load_native_certs().certs;
    if certificates.is_empty() {
        return Err(Error::config(
            "tls_ca: expected the system's root certificates where it is not set, found none; \
             install them (ca-certificates), or name a file of certificates with tls_ca",
        ));
    }
    Ok(Trusted { certificates, explicit: false, place: "tls_ca: the system's".to_owned() })
}

/// All certificates of a file, at least one.
pub fn chain(option: &str, path: impl AsRef<Path>) -> Result<Vec<CertificateDer<'static>>> {
    let path = path.as_ref();
    let bytes = read(option, path)?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(none(option, path, &bytes, "certificates")),
        Err(_) => Err(broken(option, path)),
    }
}

/// The certificates of all files of a directory; other files are passed over.
fn directory(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let files = std::fs::read_dir(path).map_err(|error| {
        Error::config(format!("{option}: cannot read {shown}: {}", io_reason(&error)))
    })?;
    let mut certificates = Vec::new();
    let mut failure = None;
    for file in files.flatten().map(|file| file.path()).filter(|file| file.is_file()) {
        match chain(option, &file) {
            Ok(found) => certificates.extend(found),
            Err(error) => failure = Some(error),
        }
    }
    if certificates.is_empty() {
        return Err(failure.unwrap_or_else(|| {
            Error::config(format!(
                "{option}: expected files of certificates in {shown}, found none"
            ))
        }));
    }
    // Such directories have a link with a hash for each file.
    certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
    certificates.dedup();
    Ok(certificates)
}

/// The first private key of a file.
pub fn key(option: &str, path: impl AsRef<Path>) -> Result<PrivateKeyDer<'static>> {
    let path = path.as_ref();
    let bytes = read(option, path)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("ENCRYPTED") {
        return Err(Error::config(format!(
            "{option}: expected a key without a passphrase, found an encrypted one in {}; openssl \
             pkey -in FILE -out NEW removes it",
            path.display()
        )));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => none(option, path, &bytes, "a private key"),
        _ => broken(option, path),
    })
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        Error::config(format!("{option}: cannot read {shown}: {}", io_reason(&error)))
    };
    // A pipe would hang in open, a device never end.
    let kind = std::fs::metadata(path).map_err(failed)?;
    if !kind.is_file() || kind.len() > MAX_FILE {
        return Err(Error::config(format!(
            "{option}: expected a file of at most {MAX_FILE} bytes, found another in {shown}"
        )));
    }
    std::fs::read(path).map_err(failed)
}

fn broken(option: &str, path: &Path) -> Error {
    let shown = path.display();
    Error::config(format!("{option}: expected a file in PEM, found a damaged one in {shown}"))
}

/// What a file holds instead.
fn none(option: &str, path: &Path, bytes: &[u8], expected: &str) -> Error {
    let marker = b"-----BEGIN ";
    let section = bytes.windows(marker.len()).position(|window| window == marker).map(|at| {
        let rest = &bytes[at + marker.len()..];
        let end = rest.iter().position(|b| *b == b'-' || *b == b'\n').unwrap_or(rest.len().min(40));
        String::from_utf8_lossy(&rest[..end]).into_owned()
    });
    let found = match section {
        Some(section) => section,
        None if bytes.is_empty() => "an empty file".to_owned(),
        None if has_extension(path, "p12") || has_extension(path, "pfx") => {
            "PKCS #12 (openssl pkcs12 -nodes converts it)".to_owned()
        }
        // A SEQUENCE, which all of them are.
        None if bytes.starts_with(&[0x30]) && std::str::from_utf8(bytes).is_err() => {
            "DER (openssl x509 -inform der, or openssl pkey -inform der, converts it)".to_owned()
        }
        None => "something else".to_owned(),
    };
    let shown = path.display();
    Error::config(format!("{option}: expected {expected} in PEM in {shown}, found: {found}"))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

//! How TLS is spoken: the system's root certificates (or those that
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` name), TLS 1.2 and 1.3, and what rustls
//! does by default with *ring*, without the code that would sign: clients have
//! no certificates here, and and a fiftieth of the shared object would be that.

use crate::error::{Error, Result};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use std::sync::Arc;
use webpki::ring as algorithm;

/// The configuration of all connections to a target.
pub fn config() -> Result<Arc<ClientConfig>> {
    let wrong =
        |what: String| Error::config(format!("url: rediss:// needs root certificates: {what}"));
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found
            .errors
            .first()
            .map_or_else(|| "the system has none".to_owned(), ToString::to_string);
        return Err(wrong(format!("{why}; SSL_CERT_FILE names a file of them")));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: rustls::crypto::ring::DEFAULT_CIPHER_SUITES.to_vec(),
        kx_groups: rustls::crypto::ring::DEFAULT_KX_GROUPS.to_vec(),
        signature_verification_algorithms: VERIFIED,
        secure_random: &System,
        key_provider: &System,
    }
}

#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, buffer: &mut [u8]) -> std::result::Result<(), GetRandomFailed> {
        SystemRandom::new().fill(buffer).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for System {
    fn load_private_key(
        &self,
        _key: PrivateKeyDer<'static>,
    ) -> std::result::Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("client certificates are not supported".into()))
    }
}

/// The signatures that rustls accepts with *ring*; a test compares.
const VERIFIED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        algorithm::ECDSA_P256_SHA256,
        algorithm::ECDSA_P256_SHA384,
        algorithm::ECDSA_P384_SHA256,
        algorithm::ECDSA_P384_SHA384,
        algorithm::ED25519,
        algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        algorithm::RSA_PKCS1_2048_8192_SHA256,
        algorithm::RSA_PKCS1_2048_8192_SHA384,
        algorithm::RSA_PKCS1_2048_8192_SHA512,
        algorithm::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        algorithm::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        algorithm::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        // TLS 1.2 does not bind a scheme to a curve.
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[algorithm::ECDSA_P384_SHA384, algorithm::ECDSA_P256_SHA384],
        ),
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[algorithm::ECDSA_P256_SHA256, algorithm::ECDSA_P384_SHA256],
        ),
        (SignatureScheme::ED25519, &[algorithm::ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[algorithm::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[algorithm::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[algorithm::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signatures_accepted_are_those_of_rustls() {
        type Algorithms = [&'static dyn rustls::pki_types::SignatureVerificationAlgorithm];
        let ids = |algorithms: &Algorithms| -> Vec<_> {
            algorithms.iter().map(|a| (a.public_key_alg_id(), a.signature_alg_id())).collect()
        };
        let theirs = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        assert_eq!(VERIFIED.mapping.len(), theirs.mapping.len());
        for ((scheme, ours), (expected, theirs)) in VERIFIED.mapping.iter().zip(theirs.mapping) {
            assert_eq!((scheme, ids(ours)), (expected, ids(theirs)));
        }
        assert_eq!(ids(VERIFIED.all), ids(theirs.all));
    }
}

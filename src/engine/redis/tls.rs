//! TLS 1.2 and 1.3 with the provider of rustls: who is trusted, under which
//! name, and the client's own certificate.

use super::address::TlsOptions;
use super::pem;
use super::tls_words;
use crate::base::error::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, InconsistentKeys,
    OtherError, RootCertStore, SignatureScheme,
};
use std::sync::Arc;

/// What all connections to a target have in common.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the files.
    pub fn from_options(options: &TlsOptions) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let name = options.name.as_ref().map(|name| ServerName::try_from(name.clone())).transpose();
        let name = name.map_err(|_| {
            Error::config("tls_name: expected a host name or an IP address, found another text")
        })?;
        let trusted = pem::trusted(options.ca.as_deref())?;
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(trusted.certificates.iter().cloned());
        if added == 0 {
            let place = &trusted.place;
            return Err(Error::config(format!(
                "{place}: expected certificates, found none usable"
            )));
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|_| Error::config("tls_ca: expected usable certificates, found others"))?;
        // The system's authorities are many and none is a server.
        let pinned = if trusted.explicit { trusted.certificates } else { Vec::new() };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config(format!("url: TLS: {}", tls_words::reason(&error))))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { chain, pinned }));
        let config = match (&options.cert, &options.key) {
            (Some(cert), Some(key)) => {
                let own = own_certificate(cert, key, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own)))
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config), name })
    }

    /// A client's side of a connection; the error is a reason.
    pub fn client(&self, host: &str) -> std::result::Result<ClientConnection, String> {
        let name = match &self.name {
            Some(name) => name.clone(),
            // A zone is this machine's own and in no certificate.
            None => ServerName::try_from(host.split('%').next().unwrap_or_default().to_owned())
                .map_err(|_| {
                    "the host is no name that a certificate can have; set tls_name".to_owned()
                })?,
        };
        ClientConnection::new(self.config.clone(), name).map_err(|error| tls_words::reason(&error))
    }
}

/// The client's certificate and key.
fn own_certificate(cert: &str, key: &str, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let (chain, key) = (pem::chain("tls_cert", cert)?, pem::key("tls_key", key)?);
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        Error::config(
            "tls_key: expected an RSA key from 2048 bits, an ECDSA key of P-256 or P-384, or an \
             Ed25519 key, found another one",
        )
    })?;
    let own = CertifiedKey::new(chain, key);
    match own.keys_match() {
        Err(error @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(Error::config(tls_words::reason(&error)))
        }
        // A certificate of version 1, which rustls does not read: the server decides.
        _ => Ok(own),
    }
}

/// The verifier of rustls, and besides it certificates that are trusted
/// themselves: a self-signed one is an authority by its marks (`openssl req
/// -x509` sets CA:TRUE), which webpki takes for no server.
#[derive(Debug)]
struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let chain = &self.chain;
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // webpki looks at the dates before this mark; `tests/redis/tls.rs` holds it.
            Err(error) if is_authority(&error) && self.pinned.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error
    else {
        return false;
    };
    matches!(other.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

//! Errors of TLS in words. The texts of rustls and webpki are those of their
//! `Debug` forms in many places, which say nothing to the user of a cache.

use rustls::{AlertDescription, CertificateError, Error, OtherError};

const NO_TLS: &str = "what answers there does not speak TLS; without it the url is redis://";

/// Why TLS failed, and what to do.
pub fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => {
            format!("invalid peer certificate: {}", certificate(error))
        }
        Error::Other(OtherError(other)) => match other.downcast_ref::<webpki::Error>() {
            Some(error) => format!("invalid peer certificate: {}", chain(error)),
            None => "the handshake failed".to_owned(),
        },
        Error::AlertReceived(alert) => self::alert(*alert),
        Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => NO_TLS.to_owned(),
        Error::NoCertificatesPresented => "the server has no certificate".to_owned(),
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
            "the server has no version or cipher of TLS 1.2 and 1.3 in common with this library"
                .to_owned()
        }
        Error::UnsupportedNameType => {
            "the host is no name that a certificate can have; set tls_name".to_owned()
        }
        Error::InconsistentKeys(_) => {
            "tls_key: expected the key of tls_cert, found another one".to_owned()
        }
        Error::FailedToGetCurrentTime => "the clock of this machine cannot be read".to_owned(),
        Error::FailedToGetRandomBytes => "this machine has no random numbers".to_owned(),
        _ => "the server breaks the rules of TLS".to_owned(),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as C;
    match error {
        C::UnknownIssuer => {
            "no authority that is trusted here has signed it; name its authority's file with \
             tls_ca (or SSL_CERT_FILE)"
                .to_owned()
        }
        C::Expired => "it has expired".to_owned(),
        C::ExpiredContext { time, not_after } => format!(
            "it has expired {} ago by the clock of this machine",
            span(time.as_secs().saturating_sub(not_after.as_secs()))
        ),
        C::NotValidYet => "it is not valid yet".to_owned(),
        C::NotValidYetContext { time, not_before } => format!(
            "it becomes valid in {} by the clock of this machine",
            span(not_before.as_secs().saturating_sub(time.as_secs()))
        ),
        C::NotValidForName => "it is for another host; set tls_name to a name it has".to_owned(),
        C::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let expected = expected.to_str();
            if names.is_empty() {
                return format!(
                    "it names no host, expected {expected}; make one with a subjectAltName"
                );
            }
            format!(
                "it is for {}, not for {expected}; connect by such a name, or set tls_name to it",
                names.join(", ")
            )
        }
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "it is not for servers; its extendedKeyUsage must have serverAuth".to_owned()
        }
        C::Revoked => "it is revoked".to_owned(),
        C::BadEncoding => "it cannot be read".to_owned(),
        C::BadSignature => {
            "its signature is not that of its authority; tls_ca may name an older authority of the \
             same name"
                .to_owned()
        }
        C::UnhandledCriticalExtension => "it has a critical extension that is unknown".to_owned(),
        C::UnsupportedSignatureAlgorithmContext { .. }
        | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not accepted (SHA-1, RSA below 2048 bits or an \
             uncommon curve); make a new one"
                .to_owned()
        }
        C::Other(OtherError(other)) => match other.downcast_ref::<webpki::Error>() {
            Some(error) => chain(error).to_owned(),
            None => "it is not acceptable".to_owned(),
        },
        _ => "it is not acceptable".to_owned(),
    }
}

/// What webpki finds and rustls has no word for.
fn chain(error: &webpki::Error) -> &'static str {
    use webpki::Error as W;
    match error {
        W::CaUsedAsEndEntity => {
            "it is an authority's own (CA:TRUE), as self-signed ones are; to trust this very \
             certificate, name its file with tls_ca (or SSL_CERT_FILE)"
        }
        W::UnsupportedCertVersion => {
            "it is of version 1, without extensions; make one with a subjectAltName (openssl req \
             -x509 -addext subjectAltName=DNS:host)"
        }
        W::EndEntityUsedAsCa => "it is signed by a certificate that is no authority (CA:FALSE)",
        W::PathLenConstraintViolated => "its authority may not sign through so many others",
        W::NameConstraintViolation => "its authority may not sign for this name",
        W::MaximumPathDepthExceeded
        | W::MaximumPathBuildCallsExceeded
        | W::MaximumSignatureChecksExceeded
        | W::MaximumNameConstraintComparisonsExceeded => "its chain of authorities is too long",
        W::InvalidSerialNumber => "its serial number is not valid",
        W::SignatureAlgorithmMismatch => "it contradicts itself about its signature",
        W::EmptyEkuExtension | W::ExtensionValueInvalid | W::MalformedExtensions => {
            "one of its extensions cannot be read"
        }
        W::MalformedDnsIdentifier | W::MalformedNameConstraint | W::UnsupportedNameType => {
            "one of its names cannot be read"
        }
        _ => "it breaks a rule of X.509; make a new one",
    }
}

fn alert(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired | A::NoCertificate => {
            "the server demands a client certificate; set tls_cert and tls_key".to_owned()
        }
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown | A::AccessDenied => {
            "the server refuses the client certificate; check tls_cert and tls_key".to_owned()
        }
        A::CertificateExpired => {
            "the server refuses the client certificate (tls_cert): it has expired".to_owned()
        }
        A::CertificateRevoked => {
            "the server refuses the client certificate (tls_cert): it is revoked".to_owned()
        }
        A::UnknownCA | A::DecryptError => {
            "the server does not trust the authority of the client certificate (tls_cert)"
                .to_owned()
        }
        A::HandshakeFailure => {
            "the server refuses the handshake: a client certificate (tls_cert, tls_key) is \
             missing, or no cipher is common"
                .to_owned()
        }
        A::ProtocolVersion | A::InsufficientSecurity => {
            "the server has no version or cipher of TLS 1.2 and 1.3 in common with this library"
                .to_owned()
        }
        A::UnrecognisedName => {
            "the server does not know the host name it was asked for; set tls_name".to_owned()
        }
        other => format!("the server refuses the handshake (alert {})", u8::from(other)),
    }
}

/// `DnsName("h")` and `IpAddress(127.0.0.1)` as webpki shows them, without their kinds.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn span(seconds: u64) -> String {
    let (n, unit) = match seconds {
        172_800.. => (seconds / 86_400, "days"),
        7_200.. => (seconds / 3_600, "hours"),
        _ => (seconds, "seconds"),
    };
    format!("{n} {unit}")
}

//! Whom TLS trusts, under which name, and what it says of those that it does not.

use crate::server::{Server, free_port};
use crate::tls::{certificates, client, openssl};
use std::path::Path;
use tempfile::TempDir;
use twat_cache::{Cache, Code, Config, TTL_DEFAULT};

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// A server whose certificate can be changed.
struct Secure {
    server: Server,
    files: TempDir,
    port: String,
}

impl Secure {
    fn start(clients: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        certificates(files.path());
        let port = free_port().to_string();
        let file = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
        let server = Server::with(&[
            "--tls-port",
            &port,
            "--tls-auth-clients",
            clients,
            "--tls-cert-file",
            &file("server.pem"),
            "--tls-key-file",
            &file("server.key"),
            "--tls-ca-cert-file",
            &file("ca.pem"),
        ]);
        Self { server, files, port }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }

    fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    /// Shows another certificate from now on.
    fn show(&self, certificate: &str, key: &str) {
        let answer = self.server.say(&format!(
            "CONFIG SET tls-cert-file {} tls-key-file {}",
            self.file(certificate),
            self.file(key)
        ));
        assert_eq!(answer, "+OK\r\n");
    }

    fn open(&self, options: &[(&str, &str)]) -> Result<Cache, twat_cache::Error> {
        open(&self.url(), options)
    }

    /// Opens, and uses it; the error of either, in words.
    fn attempt(&self, options: &[(&str, &str)]) -> Result<(), String> {
        let cache = self.open(options).map_err(|error| error.text().to_owned())?;
        let done = cache.set(b"key", b"value", TTL_DEFAULT);
        done.map_err(|error| {
            assert_eq!(error.code(), Code::Unavailable, "{error}");
            error.text().to_owned()
        })
    }
}

fn open(url: &str, options: &[(&str, &str)]) -> Result<Cache, twat_cache::Error> {
    let mut config = Config::new("redis").unwrap();
    config.set("url", url).unwrap();
    config.set("timeout_ms", "5000").unwrap();
    config.set("connect_timeout_ms", "5000").unwrap();
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    Cache::open(&config)
}

/// No text may be the `Debug` form of an error of another library.
fn in_words(text: &str) -> &str {
    for mark in ["Error(", "Other(", "Context", "DnsName", "{ ", "Some(", "UnknownIssuer"] {
        assert!(!text.contains(mark), "{text}");
    }
    text
}

#[test]
fn a_self_signed_certificate_is_trusted_by_its_own_file() {
    let secure = Secure::start("no");
    let files = secure.files.path();
    openssl(
        files,
        &format!(
            "req -x509 {EC} -days 2 -subj /CN=self -keyout self.key -out self.pem -addext \
             subjectAltName=IP:127.0.0.1"
        ),
    );
    secure.show("self.pem", "self.key");
    let file = secure.file("self.pem");
    assert_eq!(secure.attempt(&[("tls_ca", &file)]), Ok(()));
    assert_eq!(client(&secure.url(), Path::new(&file)), "fine", "by SSL_CERT_FILE");
    // Another one of the same name is not.
    openssl(
        files,
        &format!(
            "req -x509 {EC} -days 2 -subj /CN=self -keyout other.key -out other.pem -addext \
             subjectAltName=IP:127.0.0.1"
        ),
    );
    let text = secure.attempt(&[("tls_ca", &secure.file("other.pem"))]).unwrap_err();
    assert!(in_words(&text).contains("authority's own (CA:TRUE)"), "{text}");
    // Nor is it for another name, nor after its time.
    let error = secure.attempt(&[("tls_ca", &file), ("tls_name", "cache.example")]).unwrap_err();
    assert!(in_words(&error).contains("it is for 127.0.0.1, not for cache.example"), "{error}");
    dated(files, "20200101000000Z", "20200201000000Z", "old.pem");
    secure.show("old.pem", "dated.key");
    let error = secure.attempt(&[("tls_ca", &secure.file("old.pem"))]).unwrap_err();
    assert!(in_words(&error).contains("has expired"), "{error}");
    dated(files, "20900101000000Z", "20910101000000Z", "young.pem");
    secure.show("young.pem", "dated.key");
    let error = secure.attempt(&[("tls_ca", &secure.file("young.pem"))]).unwrap_err();
    assert!(in_words(&error).contains("becomes valid in"), "{error}");
}

/// A self-signed certificate with such dates.
fn dated(files: &Path, from: &str, to: &str, name: &str) {
    let config = "[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index\nserial=serial\n\
        default_md=sha256\npolicy=p\nx509_extensions=e\nunique_subject=no\n[p]\n\
        commonName=supplied\n[e]\nbasicConstraints=critical,CA:TRUE\n\
        subjectAltName=IP:127.0.0.1\n";
    std::fs::write(files.join("ca.cnf"), config).unwrap();
    std::fs::write(files.join("index"), "").unwrap();
    std::fs::write(files.join("serial"), "01\n").unwrap();
    if !files.join("dated.key").exists() {
        openssl(files, &format!("req {EC} -subj /CN=dated -keyout dated.key -out dated.csr"));
    }
    openssl(
        files,
        &format!(
            "ca -batch -selfsign -notext -config ca.cnf -in dated.csr -keyfile dated.key \
             -startdate {from} -enddate {to} -out {name}"
        ),
    );
}

#[test]
fn a_directory_of_certificates_and_another_name_are_options() {
    let secure = Secure::start("no");
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(secure.file("ca.pem"), directory.path().join("one.pem")).unwrap();
    std::fs::write(directory.path().join("README"), "not a certificate").unwrap();
    let directory = directory.path().to_str().unwrap();
    assert_eq!(secure.attempt(&[("tls_ca", directory)]), Ok(()));
    let with = |name: &str| secure.attempt(&[("tls_ca", directory), ("tls_name", name)]);
    let text = with("cache.example").unwrap_err();
    assert!(in_words(&text).contains("set tls_name to it"), "{text}");
    let files = secure.files.path();
    std::fs::write(files.join("names"), "subjectAltName=DNS:cache.example\n").unwrap();
    openssl(
        files,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
         -out named.pem",
    );
    secure.show("named.pem", "server.key");
    assert_eq!(with("cache.example"), Ok(()));
    let text = secure.attempt(&[("tls_ca", directory)]).unwrap_err();
    assert!(in_words(&text).contains("it is for cache.example, not for 127.0.0.1"), "{text}");
    // All of it may stand in the URL.
    let url = format!("{}?tls_ca={directory}&tls_name=cache.example", secure.url());
    open(&url, &[]).unwrap().set(b"key", b"value", TTL_DEFAULT).unwrap();
    let url = url.replace("rediss://", "redis://") + "&ssl=true";
    open(&url, &[]).unwrap().set(b"key", b"value", TTL_DEFAULT).unwrap();
}

#[test]
fn certificates_without_extensions_or_names_are_refused_in_words() {
    let secure = Secure::start("no");
    let files = secure.files.path();
    let ca = secure.file("ca.pem");
    openssl(files, &format!("req {EC} -subj /CN=127.0.0.1 -keyout v1.key -out v1.csr"));
    openssl(files, "x509 -req -in v1.csr -signkey v1.key -days 2 -out v1.pem");
    secure.show("v1.pem", "v1.key");
    for trusted in ["v1.pem", "ca.pem"] {
        let text = secure.attempt(&[("tls_ca", &secure.file(trusted))]).unwrap_err();
        assert!(in_words(&text).contains("of version 1, without extensions"), "{text}");
    }
    std::fs::write(files.join("none"), "basicConstraints=CA:FALSE\n").unwrap();
    openssl(
        files,
        "x509 -req -in v1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile none -out \
         nameless.pem",
    );
    secure.show("nameless.pem", "v1.key");
    let text = secure.attempt(&[("tls_ca", &ca)]).unwrap_err();
    assert!(in_words(&text).contains("names no host, expected 127.0.0.1"), "{text}");
    std::fs::write(files.join("eku"), "extendedKeyUsage=clientAuth\n").unwrap();
    openssl(
        files,
        "x509 -req -in v1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile eku -out \
         eku.pem",
    );
    secure.show("eku.pem", "v1.key");
    let text = secure.attempt(&[("tls_ca", &ca)]).unwrap_err();
    assert!(in_words(&text).contains("not for servers"), "{text}");
    secure.show("server.pem", "server.key");
    let text = secure.attempt(&[("tls_ca", &secure.file("v1.pem"))]).unwrap_err();
    assert!(in_words(&text).contains("no authority that is trusted here"), "{text}");
}

#[test]
fn a_client_certificate_is_presented_and_a_missing_one_is_reported() {
    let secure = Secure::start("yes");
    let files = secure.files.path();
    let ca = secure.file("ca.pem");
    let text = secure.attempt(&[("tls_ca", &ca)]).unwrap_err();
    assert!(in_words(&text).contains("client certificate"), "{text}");
    openssl(files, &format!("req {EC} -subj /CN=client -keyout client.key -out client.csr"));
    openssl(
        files,
        "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out client.pem",
    );
    let (cert, key) = (secure.file("client.pem"), secure.file("client.key"));
    let own = [("tls_ca", &*ca), ("tls_cert", &*cert), ("tls_key", &*key)];
    assert_eq!(secure.attempt(&own), Ok(()));
    // Certificate and key in one file; the certificate is of version 1, without extensions.
    let both = std::fs::read_to_string(&cert).unwrap() + &std::fs::read_to_string(&key).unwrap();
    let both_file = secure.file("both.pem");
    std::fs::write(&both_file, both).unwrap();
    let one = [("tls_ca", &*ca), ("tls_cert", &*both_file), ("tls_key", &*both_file)];
    assert_eq!(secure.attempt(&one), Ok(()));
    // One of an authority that the server does not know.
    openssl(files, &format!("req -x509 {EC} -days 2 -subj /CN=x -keyout x.key -out x.pem"));
    let (x_cert, x_key) = (secure.file("x.pem"), secure.file("x.key"));
    let text =
        secure.attempt(&[("tls_ca", &ca), ("tls_cert", &x_cert), ("tls_key", &x_key)]).unwrap_err();
    assert!(in_words(&text).contains("client certificate"), "{text}");
    let error = secure
        .open(&[("tls_ca", &ca), ("tls_cert", &x_cert), ("tls_key", &key)])
        .err()
        .expect("a key of another certificate");
    assert_eq!(error.code(), Code::Config, "{error}");
    assert!(in_words(error.text()).contains("expected the key of tls_cert"), "{error}");
}

#[test]
fn a_file_that_holds_something_else_is_an_error_at_open() {
    let files = tempfile::tempdir().unwrap();
    let path = files.path();
    certificates(path);
    openssl(path, "x509 -in ca.pem -outform der -out ca.der");
    openssl(path, "pkey -in server.key -outform der -out key.der");
    openssl(path, "pkey -in server.key -aes128 -passout pass:hunter2 -out locked.key");
    openssl(path, "pkey -in server.key -pubout -out public.pem");
    std::fs::write(path.join("empty.pem"), "").unwrap();
    std::fs::write(path.join("text.pem"), "hello\n").unwrap();
    let cut: String = std::fs::read_to_string(path.join("ca.pem")).unwrap().replace("END", "");
    std::fs::write(path.join("cut.pem"), cut).unwrap();
    std::fs::create_dir(path.join("nothing")).unwrap();
    let file = |name: &str| path.join(name).to_str().unwrap().to_owned();
    let (ca, cert, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
    for (name, value, cause) in [
        ("tls_ca", "missing.pem", "tls_ca: cannot read"),
        ("tls_ca", "ca.der", "found: DER (openssl x509 -inform der"),
        ("tls_ca", "empty.pem", "found: an empty file"),
        ("tls_ca", "text.pem", "found: something else"),
        ("tls_ca", "server.key", "found: PRIVATE KEY"),
        ("tls_ca", "cut.pem", "tls_ca: expected"),
        ("tls_ca", "nothing", "found none"),
        ("tls_cert", "ca.der", "tls_cert: expected certificates in PEM"),
        ("tls_cert", "nothing", "tls_cert: expected a file"),
        ("tls_key", "missing.key", "tls_key: cannot read"),
        ("tls_key", "key.der", "found: DER"),
        ("tls_key", "locked.key", "without a passphrase"),
        ("tls_key", "public.pem", "found: PUBLIC KEY"),
        ("tls_key", "ca.pem", "found: CERTIFICATE"),
    ] {
        let value = file(value);
        let mut options = vec![("tls_ca", &*ca), ("tls_cert", &*cert), ("tls_key", &*key)];
        options.retain(|(option, _)| *option != name);
        options.push((name, &value));
        let error = open("rediss://127.0.0.1:1", &options).err().expect(cause);
        assert_eq!(error.code(), Code::Config, "{error}");
        assert!(in_words(error.text()).contains(cause), "{name} {value}: {error}");
    }
    for (variable, value) in [("SSL_CERT_FILE", "missing.pem"), ("SSL_CERT_FILE", "ca.der")] {
        let text = opened_with(variable, &file(value));
        assert!(in_words(&text).contains("SSL_CERT_FILE: "), "{text}");
    }
    let text = opened_with("SSL_CERT_FILE", "");
    assert!(text.contains("SSL_CERT_FILE: expected a path, found an empty text"), "{text}");
    let text = opened_with("SSL_CERT_DIR", &file("nothing"));
    assert!(in_words(&text).contains("SSL_CERT_DIR: "), "{text}");
    assert_eq!(opened_with("SSL_CERT_DIR", &format!("/missing:{}", path.display())), "opened");
}

/// Does nothing but for the test above, which runs it with a variable set.
#[test]
fn one_opener() {
    if std::env::var_os("TWAT_TEST_OPEN").is_none() {
        return;
    }
    match open("rediss://127.0.0.1:1", &[]) {
        Ok(_) => println!("RESULT opened"),
        Err(error) => println!("RESULT {error}"),
    }
}

fn opened_with(variable: &str, value: &str) -> String {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trust::one_opener", "--nocapture"])
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR")
        .env("TWAT_TEST_OPEN", "1")
        .env(variable, value)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = text.split("RESULT ").nth(1).and_then(|rest| rest.lines().next());
    result.unwrap_or_else(|| panic!("no result in {text}")).to_owned()
}

#[test]
fn plain_and_tls_ports_that_are_mixed_up_are_named() {
    let secure = Secure::start("no");
    let ca = secure.file("ca.pem");
    let url = secure.server.url().replace("redis://", "rediss://");
    let options = [("tls_ca", &*ca), ("connect_timeout_ms", "500")];
    let text = open(&url, &options).unwrap().get(b"key").unwrap_err().to_string();
    assert!(in_words(&text).contains("without TLS its url is redis://"), "{text}");
    // One that ends the connection at the handshake.
    let url = format!("rediss://127.0.0.1:{}", crate::proxy::doorman(b""));
    let text = open(&url, &[("tls_ca", &ca)]).unwrap().get(b"key").unwrap_err().to_string();
    assert!(in_words(&text).contains("connection at the TLS handshake"), "{text}");
    let url = secure.url().replace("rediss://", "redis://");
    let text = open(&url, &[]).unwrap().get(b"key").unwrap_err().to_string();
    assert!(in_words(&text).contains("rediss://"), "{text}");
}

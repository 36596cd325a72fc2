//! The greeting of a connection: the version of the protocol, the login, a
//! name, the database. A server or proxy that refuses the parts that are not
//! needed is used without them.

use super::address::{Address, Login};
use super::connection::{Broken, Connection};
use super::node::Settings;
use super::resp::{Refusal, Value};
use super::words::{down, quoted};
use crate::base::error::Error;
use redis::Cmd;
use std::net::SocketAddr;
use std::time::Instant;

/// The name under which `CLIENT LIST` shows us.
const CLIENT_NAME: &str = concat!("twat-cache-", env!("CARGO_PKG_VERSION"));

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// HELLO and CLIENT SETNAME, for RESP3.
    Full,
    /// What every server and proxy knows: AUTH, SELECT and PING, in RESP2.
    Plain,
}

/// Why there is no connection.
pub struct Failure {
    pub error: Error,
    /// The address that was connected to.
    pub peer: Option<SocketAddr>,
    /// Whether the other side closed the connection at the greeting without an
    /// answer: proxies do so at a command that they do not know.
    pub hung_up: bool,
    /// Whether the server said why.
    pub said: bool,
}

/// Connects and greets.
pub fn open(
    address: &Address,
    settings: &Settings,
    style: Style,
    deadline: Instant,
) -> Result<Connection, Failure> {
    let connected = Connection::connect(address, settings, deadline);
    let connection =
        connected.map_err(|error| Failure { error, peer: None, hung_up: false, said: false })?;
    let greeter = Greeter { connection, address, login: &settings.login, deadline };
    match style {
        Style::Full => greeter.full(),
        Style::Plain => greeter.plain(),
    }
}

struct Greeter<'a> {
    connection: Connection,
    address: &'a Address,
    login: &'a Login,
    deadline: Instant,
}

/// A command and what its refusal means.
type Step = (Cmd, Meaning);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Nothing: it is not needed.
    Harmless,
    Login,
    Database,
}

impl Greeter<'_> {
    fn full(mut self) -> Result<Connection, Failure> {
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        if let Some(password) = &self.login.password {
            hello.arg("AUTH").arg(self.login.user.as_deref().unwrap_or("default")).arg(password);
        }
        let mut steps = vec![(hello, Meaning::Harmless), name()];
        steps.extend(self.database());
        let (answers, broken) = self.say(&steps);
        match answers.first() {
            Some(Value::ServerError(refusal)) => {
                if let Some(error) = self.is_final(refusal) {
                    return Err(self.failure(error));
                }
                if let Some(broken) = broken {
                    return Err(self.broken(&broken, Some(refusal)));
                }
                // A server before 6.0, or one that does not allow HELLO.
                let mut steps: Vec<Step> = self.auth().into_iter().collect();
                steps.push(name());
                steps.extend(self.database());
                self.check(steps)
            }
            Some(_) => {
                self.connection.resp3 = true;
                self.verify(&steps, &answers, broken)
            }
            None => self.verify(&steps, &answers, broken),
        }
    }

    fn plain(self) -> Result<Connection, Failure> {
        let mut steps: Vec<Step> = self.auth().into_iter().collect();
        steps.extend(self.database());
        steps.push((redis::cmd("PING"), Meaning::Harmless));
        self.check(steps)
    }

    fn auth(&self) -> Option<Step> {
        let password = self.login.password.as_ref()?;
        let mut auth = redis::cmd("AUTH");
        if let Some(user) = &self.login.user {
            auth.arg(user);
        }
        auth.arg(password);
        Some((auth, Meaning::Login))
    }

    fn database(&self) -> Option<Step> {
        let mut select = redis::cmd("SELECT");
        select.arg(self.login.database);
        (self.login.database != 0).then_some((select, Meaning::Database))
    }

    fn say(&mut self, steps: &[Step]) -> (Vec<Value>, Option<Broken>) {
        let commands: Vec<&Cmd> = steps.iter().map(|(command, _)| command).collect();
        self.connection.exchange(&commands, self.deadline)
    }

    fn check(mut self, steps: Vec<Step>) -> Result<Connection, Failure> {
        let (answers, broken) = self.say(&steps);
        self.verify(&steps, &answers, broken)
    }

    fn verify(
        self,
        steps: &[Step],
        answers: &[Value],
        broken: Option<Broken>,
    ) -> Result<Connection, Failure> {
        let mut last = None;
        for ((_, meaning), answer) in steps.iter().zip(answers) {
            let Value::ServerError(refusal) = answer else { continue };
            last = Some(refusal);
            if let Some(error) = self.is_final(refusal) {
                return Err(self.failure(error));
            }
            // Before a connection is closed, an error need not be about this command.
            if broken.is_some() {
                continue;
            }
            match meaning {
                Meaning::Login if !is_no_password(refusal) => {
                    return Err(self.failure(self.login_refused(refusal)));
                }
                Meaning::Database => {
                    let (database, said) = (self.login.database, self.without_secrets(refusal));
                    let reason = format!("the server refuses database {database}: {said}");
                    return Err(self.failure(down(self.address, reason)));
                }
                Meaning::Login | Meaning::Harmless => {}
            }
        }
        match broken {
            Some(broken) => Err(self.broken(&broken, last)),
            None => Ok(self.connection),
        }
    }

    fn failure(&self, error: Error) -> Failure {
        Failure { error, peer: self.connection.peer(), hung_up: false, said: true }
    }

    /// The failure of a connection that broke, perhaps after an answer.
    fn broken(&self, broken: &Broken, said: Option<&Refusal>) -> Failure {
        let hung_up = broken.is_hang_up() && self.connection.is_ready();
        let error = match said {
            Some(refusal) => {
                let said = self.without_secrets(refusal);
                down(self.address, format!("the server closed the connection: {said}"))
            }
            None if hung_up && !self.connection.is_tls() => down(
                self.address,
                "it closed the connection at the greeting; if it expects TLS, its url is rediss://",
            ),
            // A plain server takes the handshake for the begin of a long line.
            None if !self.connection.is_ready() && broken.is_time_out() => down(
                self.address,
                "no answer in time to the TLS handshake; without TLS its url is redis://",
            ),
            None if !self.connection.is_ready() && broken.is_hang_up() => down(
                self.address,
                "it closed the connection at the TLS handshake; it may have its max number of \
                 clients, or no TLS (without it the url is redis://)",
            ),
            None => self.connection.error(broken),
        };
        Failure { error, peer: self.connection.peer(), hung_up, said: said.is_some() }
    }

    /// The error of a server that refuses every client like this one.
    fn is_final(&self, refusal: &Refusal) -> Option<Error> {
        let reason = match refusal.code() {
            "WRONGPASS" | "NOAUTH" => return Some(self.login_refused(refusal)),
            "DENIED" => {
                "the server is in protected mode and accepts clients of its own machine only; \
                 give it a password, or bind it to an address"
            }
            _ if refusal.text().contains("max number of clients") => {
                "the server has its max number of clients (maxclients); raise it, or lower \
                 pool_size"
            }
            _ => return None,
        };
        Some(down(self.address, reason))
    }

    fn login_refused(&self, refusal: &Refusal) -> Error {
        let code = refusal.code();
        let advice = match (&self.login.password, code) {
            (None, _) => "it demands a password",
            _ => "check username and password",
        };
        down(self.address, format!("the server refuses the login ({code}): {advice}"))
    }

    /// What the server said: some quote the whole command, and with it the password.
    fn without_secrets(&self, refusal: &Refusal) -> String {
        let Login { user, password, .. } = self.login;
        let secret = |text: &Option<String>| {
            text.as_deref().is_some_and(|text| refusal.text().contains(text))
        };
        if secret(user) || secret(password) { refusal.code().to_owned() } else { quoted(refusal) }
    }
}

fn name() -> Step {
    let mut name = redis::cmd("CLIENT");
    name.arg("SETNAME").arg(CLIENT_NAME);
    (name, Meaning::Harmless)
}

/// Whether AUTH was refused because no password is needed.
fn is_no_password(refusal: &Refusal) -> bool {
    let text = refusal.text();
    ["no password is set", "without any password", "unknown command"]
        .iter()
        .any(|known| text.contains(known))
}

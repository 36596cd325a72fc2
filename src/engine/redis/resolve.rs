//! Finds the addresses of a host name. The system's resolver takes no deadline,
//! so it runs on a thread of its own. A host has one such thread at most, for
//! all caches of the process, and its last answer is kept: a resolver that
//! hangs costs one thread and delays no host that was found before.

use super::node::lock;
use crate::base::fork::ForkLocal;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many failed addresses of a host are remembered.
const SUSPECTS: usize = 32;

/// Looks a name up. May take any time.
pub trait Lookup: Send + Sync {
    /// The addresses of a host, in order of preference, with any port.
    fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
struct System;

impl Lookup for System {
    fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        Ok((host, 0).to_socket_addrs()?.collect())
    }
}

/// All hosts that were looked up.
pub struct Resolver {
    lookup: Arc<dyn Lookup>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Default)]
struct Host {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    /// When the look-up that runs now began.
    running: Option<Instant>,
    /// How many look-ups have ended.
    ended: u64,
    last: Vec<SocketAddr>,
    /// Why the last look-up that ended has no answer.
    failure: Option<String>,
    /// The address that served last, one for each port.
    worked: Vec<SocketAddr>,
    /// Addresses that did not serve, the latest last.
    suspects: Vec<SocketAddr>,
}

static OF_PROCESS: ForkLocal<Resolver> = ForkLocal::new(|| Resolver::new(Arc::new(System)));

impl Resolver {
    /// A resolver that knows no host yet.
    pub fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self { lookup, hosts: Mutex::default() }
    }

    /// The one that all caches of this process share.
    pub fn of_process() -> &'static Self {
        OF_PROCESS.get()
    }

    /// The addresses of a host before `deadline`, the most promising first. The
    /// error says why there are none.
    pub fn find(
        &self,
        name: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = name.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let host = lock(&self.hosts).entry(name.to_owned()).or_default().clone();
        let mut state = lock(&host.state);
        if state.running.is_none() {
            match self.start(name, &host) {
                Ok(()) => state.running = Some(Instant::now()),
                Err(error) if state.last.is_empty() => {
                    return Err(format!("no thread for the look-up of its name: {error}"));
                }
                Err(_) => return Ok(state.in_order(port)),
            }
        }
        let (ended, wait) = (state.ended, state.patience(deadline));
        let waited = host.answered.wait_timeout_while(state, wait, |state| state.ended == ended);
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match &state.failure {
            _ if !state.last.is_empty() => Ok(state.in_order(port)),
            Some(failure) if state.ended != ended => Err(failure.clone()),
            _ => Err("the look-up of its name takes too long (connect_timeout_ms)".to_owned()),
        }
    }

    fn start(&self, name: &str, host: &Arc<Host>) -> io::Result<()> {
        let (host, name, lookup) = (host.clone(), name.to_owned(), self.lookup.clone());
        let thread = std::thread::Builder::new().name("twat-resolve".into());
        thread.spawn(move || host.take(lookup.lookup(&name))).map(drop)
    }

    /// Notes that an address served, or did not.
    pub fn note(&self, name: &str, address: SocketAddr, served: bool) {
        let host = lock(&self.hosts).get(name).cloned();
        let Some(host) = host else { return };
        let mut state = lock(&host.state);
        state.suspects.retain(|suspect| *suspect != address);
        if served {
            state.worked.retain(|known| known.port() != address.port());
            state.worked.push(address);
        } else {
            state.worked.retain(|known| *known != address);
            state.suspects.push(address);
            if state.suspects.len() > SUSPECTS {
                state.suspects.remove(0);
            }
        }
    }
}

impl Host {
    fn take(&self, found: io::Result<Vec<SocketAddr>>) {
        let mut state = lock(&self.state);
        (state.running, state.failure) = (None, None);
        state.ended += 1;
        match found {
            Ok(addresses) if !addresses.is_empty() => state.last = addresses,
            Ok(_) => state.failure = Some("its name has no address".to_owned()),
            Err(error) => {
                let text = error.to_string();
                // "failed to lookup address information: Name or service not known"
                let why = text.rsplit_once(": ").map_or(&*text, |(_, why)| why);
                state.failure = Some(format!("its name has no address: {why}"));
            }
        }
        drop(state);
        self.answered.notify_all();
    }
}

impl State {
    /// How long to wait for the look-up that runs: while an answer is known, a
    /// quarter of the time to connect, counted from the look-up's begin.
    fn patience(&self, deadline: Instant) -> Duration {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        match self.running {
            Some(began) if !self.last.is_empty() => {
                (left / 4).saturating_sub(now.saturating_duration_since(began))
            }
            _ => left,
        }
    }

    /// The last answer: the address that worked, the others with their families
    /// in turn (RFC 8305), then those that failed.
    fn in_order(&self, port: u16) -> Vec<SocketAddr> {
        let addresses = self.last.iter().map(|address| {
            let mut address = *address;
            address.set_port(port);
            address
        });
        let mut families = [0usize; 2];
        let first_is_v6 = self.last.first().is_some_and(SocketAddr::is_ipv6);
        let mut ranked: Vec<((usize, usize, bool), SocketAddr)> = addresses
            .map(|address| {
                let other = address.is_ipv6() != first_is_v6;
                let turn = &mut families[usize::from(other)];
                *turn += 1;
                let suspect = self.suspects.iter().position(|suspect| *suspect == address);
                let class = match suspect {
                    Some(at) => 2 + at,
                    None => usize::from(!self.worked.contains(&address)),
                };
                ((class, *turn, other), address)
            })
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.dedup_by_key(|(_, address)| *address);
        ranked.into_iter().map(|(_, address)| address).collect()
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A resolver of which a test says what it answers, and whether it hangs.
    #[derive(Default)]
    pub struct Fake {
        pub answer: Mutex<Vec<SocketAddr>>,
        pub hangs: Mutex<()>,
        pub asked: AtomicUsize,
        pub running: AtomicUsize,
    }

    impl Lookup for Fake {
        fn lookup(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.running.fetch_add(1, Ordering::SeqCst);
            drop(lock(&self.hangs));
            self.running.fetch_sub(1, Ordering::SeqCst);
            let answer = lock(&self.answer).clone();
            if answer.is_empty() { Err(io::Error::other("lookup: unknown")) } else { Ok(answer) }
        }
    }

    pub fn fake(answer: &[&str]) -> (Arc<Fake>, Resolver) {
        let fake = Arc::new(Fake::default());
        *lock(&fake.answer) = addresses(answer);
        (fake.clone(), Resolver::new(fake))
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(200)
    }

    #[test]
    fn a_hanging_resolver_costs_one_thread_and_no_host_that_was_found_before() {
        let (fake, resolver) = fake(&["10.0.0.1:0"]);
        let first = resolver.find("h", 7, Instant::now() + Duration::from_secs(20));
        assert_eq!(first, Ok(addresses(&["10.0.0.1:7"])));
        let hang = lock(&fake.hangs);
        assert_eq!(resolver.find("h", 7, soon()), Ok(addresses(&["10.0.0.1:7"])));
        let begun = Instant::now();
        for _ in 0..50 {
            assert_eq!(resolver.find("h", 7, soon()), Ok(addresses(&["10.0.0.1:7"])));
        }
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        // A host that nobody found has no address until its look-up ends.
        let error = resolver.find("new", 7, soon()).unwrap_err();
        assert!(error.contains("takes too long"), "{error}");
        let _ = resolver.find("new", 7, soon());
        assert_eq!(fake.asked.load(Ordering::SeqCst), 3, "one look-up for each host");
        *lock(&fake.answer) = addresses(&["10.0.0.2:0"]);
        drop(hang);
        let end = Instant::now() + Duration::from_secs(20);
        while resolver.find("h", 7, soon()) != Ok(addresses(&["10.0.0.2:7"])) {
            assert!(Instant::now() < end, "the new address is not found");
        }
    }

    #[test]
    fn a_name_that_is_gone_keeps_its_last_address_and_an_unknown_one_says_why() {
        let (fake, resolver) = fake(&["10.0.0.1:0"]);
        let long = || Instant::now() + Duration::from_secs(20);
        assert!(resolver.find("h", 7, long()).is_ok());
        lock(&fake.answer).clear();
        assert_eq!(resolver.find("h", 7, long()), Ok(addresses(&["10.0.0.1:7"])));
        let error = resolver.find("other", 7, long()).unwrap_err();
        assert_eq!(error, "its name has no address: unknown");
    }

    #[test]
    fn the_address_that_worked_is_first_and_those_that_failed_are_last() {
        let (_, resolver) = fake(&["10.0.0.1:0", "10.0.0.2:0", "[::1]:0", "10.0.0.3:0"]);
        let find = || resolver.find("h", 7, Instant::now() + Duration::from_secs(20)).unwrap();
        let order = |texts: &[&str]| assert_eq!(find(), addresses(texts));
        order(&["10.0.0.1:7", "[::1]:7", "10.0.0.2:7", "10.0.0.3:7"]);
        resolver.note("h", "10.0.0.1:7".parse().unwrap(), false);
        resolver.note("h", "10.0.0.3:7".parse().unwrap(), true);
        order(&["10.0.0.3:7", "[::1]:7", "10.0.0.2:7", "10.0.0.1:7"]);
        resolver.note("h", "10.0.0.3:7".parse().unwrap(), false);
        order(&["[::1]:7", "10.0.0.2:7", "10.0.0.1:7", "10.0.0.3:7"]);
    }
}

//! Servers that die, stop, crawl and lose their data.

use crate::proxy::{Proxy, stranger};
use crate::server::Server;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use twat_cache::{Cache, Code, Config, TTL_DEFAULT, TTL_NEVER};

const CONNECT: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_millis(150);
/// What a call may take beyond its time-out.
const MARGIN: Duration = Duration::from_millis(50);

pub fn open(url: &str, options: &[(&str, &str)]) -> Cache {
    let mut config = Config::new("redis").unwrap();
    config.set("url", url).unwrap();
    config.set_u64("connect_timeout_ms", CONNECT.as_millis() as u64).unwrap();
    config.set_u64("timeout_ms", ANSWER.as_millis() as u64).unwrap();
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    Cache::open(&config).unwrap()
}

/// Measures how long this machine keeps a thread waiting that wants to run:
/// what it adds to a call is not the library's.
struct Stalls {
    longest: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Stalls {
    fn watch() -> Self {
        let (longest, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (to, end) = (longest.clone(), stop.clone());
        std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let before = Instant::now();
                std::thread::sleep(Duration::from_millis(1));
                let late = before.elapsed().saturating_sub(Duration::from_millis(1));
                to.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        Self { longest, stop }
    }

    /// Runs a call, which must end within `limit`.
    fn within<T>(&self, limit: Duration, call: impl FnOnce() -> T) -> T {
        self.longest.store(0, Ordering::Relaxed);
        let before = Instant::now();
        let result = call();
        let took = before.elapsed();
        let stalled = Duration::from_micros(self.longest.load(Ordering::Relaxed));
        // A call is kept waiting as often as it waits: to write, to read.
        let limit = limit + MARGIN + 3 * stalled;
        assert!(took <= limit, "a call took {took:?}, expected at most {limit:?}");
        result
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn is_down<T>(result: Result<T, twat_cache::Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), Code::Unavailable, "{error}");
            assert!(error.text().starts_with("redis at 127.0.0.1:"), "{error}");
            true
        }
    }
}

fn comes_back(cache: &Cache) {
    let begun = Instant::now();
    while let Err(error) = cache.set(b"back", b"again", TTL_DEFAULT) {
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(1), "not back after a second: {error}");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(cache.get(b"back").unwrap().as_deref(), Some(&b"again"[..]));
}

#[test]
fn a_cache_opens_while_its_server_is_down_and_works_when_it_comes() {
    let mut server = Server::start();
    server.kill();
    let cache = open(&server.url(), &[]);
    assert!(is_down(cache.get(b"key")));
    assert!(is_down(cache.set(b"key", b"value", TTL_DEFAULT)));
    assert!(is_down(cache.incr(b"key", 1, 0, TTL_DEFAULT)));
    assert!(is_down(cache.clear()));
    assert!(cache.stats().is_ok() && cache.info().unwrap().contains_key("trouble"));
    server.restart();
    comes_back(&cache);
}

#[test]
fn after_a_failure_calls_fail_at_once_and_the_server_is_found_within_a_second() {
    let mut server = Server::start();
    let cache = open(&server.url(), &[]);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    server.kill();
    assert!(is_down(cache.get(b"key")));
    let begun = Instant::now();
    for _ in 0..2000 {
        assert!(is_down(cache.get(b"key")));
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "2000 refusals took {:?}", begun.elapsed());
    server.restart();
    comes_back(&cache);
    assert_eq!(cache.get(b"key").unwrap(), None, "its data is lost, which is a miss");
}

#[test]
fn a_restart_between_two_calls_is_not_noticed() {
    let mut server = Server::start();
    let cache = open(&server.url(), &[]);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    server.restart();
    assert_eq!(cache.get(b"key").unwrap(), None);
}

#[test]
fn a_stopped_server_keeps_no_call_longer_than_its_time() {
    let (server, stalls) = (Server::start(), Stalls::watch());
    let cache = open(&server.url(), &[]);
    let tags = twat_cache::SetOptions { tags: &[b"tag"], ..Default::default() };
    cache.set_with(b"key", b"value", &tags).unwrap();
    server.stop();
    assert!(is_down(stalls.within(ANSWER, || cache.get(b"key"))));
    let end = Instant::now() + Duration::from_millis(1500);
    let mut quick = 0;
    while Instant::now() < end {
        let begun = Instant::now();
        assert!(is_down(stalls.within(CONNECT + ANSWER, || cache.set(
            b"key",
            b"other",
            TTL_DEFAULT
        ))));
        quick += u32::from(begun.elapsed() < Duration::from_millis(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(quick > 50, "only {quick} calls failed at once");
    server.go_on();
    comes_back(&cache);
}

#[test]
fn a_large_value_to_a_stopped_server_keeps_no_longer() {
    let (server, stalls) = (Server::start(), Stalls::watch());
    let cache = open(&server.url(), &[]);
    cache.set(b"key", b"value", TTL_DEFAULT).unwrap();
    server.stop();
    let large = vec![1; 64 << 20];
    assert!(is_down(stalls.within(ANSWER + CONNECT, || cache.set(b"large", &large, TTL_DEFAULT))));
    server.go_on();
    comes_back(&cache);
}

#[test]
fn a_slow_server_keeps_no_call_longer_than_its_time_and_late_answers_belong_to_nobody() {
    let (server, stalls) = (Server::start(), Stalls::watch());
    let cache = open(&server.url(), &[]);
    for n in 0..10_u8 {
        cache.set(&[n], &[n], TTL_DEFAULT).unwrap();
    }
    let slow = std::thread::spawn({
        let port = server.port;
        move || {
            use std::io::{Read, Write};
            let mut to = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            to.write_all(b"DEBUG SLEEP 0.8\r\nQUIT\r\n").unwrap();
            let _ = to.read_to_end(&mut Vec::new());
        }
    });
    std::thread::sleep(Duration::from_millis(50));
    assert!(is_down(stalls.within(ANSWER, || cache.get(&[1]))));
    // An answer that comes after its call gave up would be the next one's.
    let end = Instant::now() + Duration::from_millis(1500);
    let mut n = 0_u8;
    while Instant::now() < end {
        n = (n + 1) % 10;
        match cache.get(&[n]) {
            Ok(found) => assert_eq!(found.as_deref(), Some(&[n][..])),
            Err(error) => assert!(is_down::<()>(Err(error))),
        }
    }
    slow.join().unwrap();
    comes_back(&cache);
    for n in 0..10_u8 {
        assert_eq!(cache.get(&[n]).unwrap().as_deref(), Some(&[n][..]));
    }
}

#[test]
fn an_answer_that_comes_after_its_call_gave_up_is_not_the_next_ones() {
    let server = Server::start();
    let proxy = Proxy::to(server.port);
    let cache = open(&proxy.url(), &[("pool_size", "1")]);
    for n in 0..10_u8 {
        cache.set(&[n], &[n], TTL_DEFAULT).unwrap();
    }
    // Each answer comes when the call after its own is waiting.
    proxy.delay(ANSWER.as_millis() as u64 + 40);
    for n in 0..10_u8 {
        if let Ok(found) = cache.get(&[n]) {
            assert_eq!(found.as_deref(), Some(&[n][..]));
        }
        std::thread::sleep(Duration::from_millis(12));
    }
    proxy.delay(0);
    comes_back(&cache);
    for n in 0..10_u8 {
        assert_eq!(cache.get(&[n]).unwrap().as_deref(), Some(&[n][..]));
    }
}

#[test]
fn a_connection_that_breaks_within_an_answer_gives_an_error_or_the_value() {
    let server = Server::start();
    let proxy = Proxy::to(server.port);
    let cache = open(&proxy.url(), &[]);
    let value = vec![5; 300];
    cache.set(b"key", &value, TTL_DEFAULT).unwrap();
    let mut broken = 0;
    for bytes in 0..400 {
        proxy.cut_after(bytes);
        match cache.get(b"key") {
            Ok(found) => assert_eq!(found.as_deref(), Some(&value[..])),
            Err(error) => {
                assert_eq!(error.code(), Code::Unavailable);
                broken += 1;
            }
        }
        proxy.cut_after(u64::MAX);
        comes_back(&cache);
    }
    assert!(broken > 300, "{broken}");
}

#[test]
fn a_server_that_dribbles_keeps_no_call_longer_than_its_time() {
    let (server, stalls) = (Server::start(), Stalls::watch());
    let proxy = Proxy::to(server.port);
    let cache = open(&proxy.url(), &[]);
    cache.set(b"key", &[5; 300], TTL_DEFAULT).unwrap();
    proxy.dribble(true);
    assert!(is_down(stalls.within(ANSWER, || cache.get(b"key"))));
    // The greeting of a new connection dribbles, too.
    std::thread::sleep(Duration::from_millis(20));
    assert!(is_down(stalls.within(CONNECT, || cache.get(b"key"))));
    proxy.dribble(false);
    comes_back(&cache);
}

#[test]
fn what_is_not_redis_is_told_and_never_waited_for() {
    let stalls = Stalls::watch();
    for (greeting, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak the redis protocol"),
        (b"220 mail ready\r\n", "does not speak the redis protocol"),
        (b"", "no answer in time"),
    ] {
        let cache = open(&format!("redis://127.0.0.1:{}", stranger(greeting)), &[]);
        let error = stalls.within(CONNECT, || cache.get(b"key")).unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
        assert!(error.text().contains(expected), "{error}");
    }
}

#[test]
fn a_full_pool_waits_its_time_and_serves_all_threads() {
    let server = Server::start();
    let cache = open(&server.url(), &[("pool_size", "2"), ("timeout_ms", "5000")]);
    std::thread::scope(|scope| {
        for thread in 0..16_u8 {
            let cache = &cache;
            scope.spawn(move || {
                for n in 0..50_u8 {
                    cache.set(&[thread, n], &[thread, n], TTL_DEFAULT).unwrap();
                    assert_eq!(cache.get(&[thread, n]).unwrap().as_deref(), Some(&[thread, n][..]));
                }
            });
        }
    });
    let nodes = cache.info().unwrap()["nodes"].clone();
    assert!(nodes[0]["connected_clients"].as_u64().unwrap() <= 2, "{nodes}");
}

/// What the threads know of each key: the last number whose set began, and
/// whether data may have been lost since the last acknowledged one.
struct Known {
    begun: u64,
    acknowledged: u64,
}

#[test]
fn a_hundred_faults_at_random_give_no_wrong_value() {
    const KEYS: usize = 16;
    let stalls = Stalls::watch();
    let server = Mutex::new(Server::start());
    let url = server.lock().unwrap().url();
    let cache = open(&url, &[("pool_size", "4")]);
    let known: Vec<Mutex<Known>> =
        (0..KEYS).map(|_| Mutex::new(Known { begun: 0, acknowledged: 0 })).collect();
    let (stop, calls, down) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let losses = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (cache, known, stop, calls, down) = (&cache, &known, &stop, &calls, &down);
            let losses = &losses;
            scope.spawn(move || {
                let stalls = Stalls::watch();
                let mut step = thread;
                while !stop.load(Ordering::Relaxed) {
                    step = step.wrapping_mul(31).wrapping_add(7);
                    let at = step % KEYS;
                    // One thread at a time uses a key: then what it must be is known.
                    let Ok(mut state) = known[at].try_lock() else { continue };
                    let key = format!("key{at}");
                    let losses_before = losses.load(Ordering::SeqCst);
                    calls.fetch_add(1, Ordering::Relaxed);
                    if (step / KEYS).is_multiple_of(2) {
                        state.begun += 1;
                        let value = format!("key{at}={}", state.begun);
                        let set = || cache.set(key.as_bytes(), value.as_bytes(), TTL_NEVER);
                        match stalls.within(CONNECT + ANSWER, set) {
                            Ok(()) => state.acknowledged = state.begun,
                            Err(error) => {
                                assert_eq!(error.code(), Code::Unavailable, "{error}");
                                down.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(1));
                            }
                        }
                    } else {
                        match stalls.within(CONNECT + ANSWER, || cache.get(key.as_bytes())) {
                            Ok(Some(value)) => {
                                let text = String::from_utf8(value.to_vec()).unwrap();
                                let n = text.strip_prefix(&format!("key{at}="));
                                let n: u64 = n.expect("the value of this key").parse().unwrap();
                                assert!(
                                    (state.acknowledged..=state.begun).contains(&n),
                                    "{text}: acknowledged {}, begun {}",
                                    state.acknowledged,
                                    state.begun
                                );
                            }
                            Ok(None) => {
                                // Only a server that lost its data may have lost ours.
                                let lost = losses_before > 0;
                                assert!(lost || state.acknowledged == 0, "key{at} is gone");
                                state.acknowledged = 0;
                            }
                            Err(error) => {
                                assert_eq!(error.code(), Code::Unavailable, "{error}");
                                down.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(1));
                            }
                        }
                    }
                }
            });
        }
        let mut random = 20_240_601_u64;
        for _ in 0..100 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut server = server.lock().unwrap();
            match random >> 60 {
                0 | 1 => {
                    losses.fetch_add(1, Ordering::SeqCst);
                    server.restart();
                }
                2..=5 => {
                    server.stop();
                    std::thread::sleep(Duration::from_millis(random >> 32 & 0xFF));
                    server.go_on();
                }
                6..=9 => {
                    server.say("CLIENT KILL TYPE normal SKIPME yes");
                }
                10 | 11 => {
                    server.say("DEBUG SLEEP 0.2");
                }
                12 => {
                    losses.fetch_add(1, Ordering::SeqCst);
                    server.say("FLUSHALL");
                }
                _ => {
                    server.say("CLIENT PAUSE 60 ALL");
                }
            }
            std::thread::sleep(Duration::from_millis(random >> 40 & 0x3F));
        }
        // Back within a second, whatever came last.
        comes_back_for(&cache, &stalls);
        stop.store(true, Ordering::Relaxed);
    });
    let (calls, down) = (calls.load(Ordering::Relaxed), down.load(Ordering::Relaxed));
    assert!(calls > 1000 && down > 20, "{calls} calls, {down} failed: no test of faults");
}

fn comes_back_for(cache: &Cache, stalls: &Stalls) {
    stalls.within(Duration::from_secs(1), || comes_back(cache));
}

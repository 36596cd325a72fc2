//! Four processes over one store. Each owns a quarter of the keys and writes
//! rising numbers to them, or deletes them; all read all. What was
//! acknowledged stands in a file that all share, so that each read can be
//! judged by the process that made it.

use crate::server::Server;
use crate::stack;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use twat_cache::{Cache, TTL_DEFAULT};

const PROCESSES: u64 = 4;
const KEYS: u64 = 32;
const RUN: Duration = Duration::from_millis(1500);

/// For each key: the number whose write began last, and the one that was
/// acknowledged last. Even numbers are values, odd ones deletions.
struct Board(File);

impl Board {
    fn get(&self, key: u64, column: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, (key * 2 + column) * 8).expect("read the board");
        u64::from_le_bytes(bytes)
    }

    fn set(&self, key: u64, column: u64, n: u64) {
        self.0.write_all_at(&n.to_le_bytes(), (key * 2 + column) * 8).expect("write the board");
    }
}

const BEGUN: u64 = 0;
const ACKNOWLEDGED: u64 = 1;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn key_of(key: u64) -> Vec<u8> {
    format!("key{key}").into_bytes()
}

/// Returns how many reads were older than what had been acknowledged `lag`
/// before they began.
fn work(cache: &Cache, board: &Board, number: u64, lag: Duration) -> (u64, u64, String) {
    let mut random = Random(number * 7919 + 1);
    let (mut reads, mut stale, mut first) = (0, 0, String::new());
    // When which number was seen to be acknowledged.
    let mut seen: Vec<Vec<(Instant, u64)>> = vec![Vec::new(); KEYS as usize];
    let end = Instant::now() + RUN;
    while Instant::now() < end {
        if random.below(10) == 0 {
            let key = random.below(KEYS / PROCESSES) * PROCESSES + number;
            let last = board.get(key, ACKNOWLEDGED);
            if random.below(4) == 0 && last.is_multiple_of(2) {
                board.set(key, BEGUN, last + 1);
                cache.delete(&key_of(key)).expect("delete");
                board.set(key, ACKNOWLEDGED, last + 1);
            } else {
                let next = last + 2 - last % 2;
                board.set(key, BEGUN, next);
                cache.set(&key_of(key), &next.to_le_bytes(), TTL_DEFAULT).expect("set");
                board.set(key, ACKNOWLEDGED, next);
            }
        }
        let key = random.below(KEYS);
        let history = &mut seen[key as usize];
        let now = Instant::now();
        history.push((now, board.get(key, ACKNOWLEDGED)));
        let old_enough = history.iter().rposition(|(at, _)| now - *at >= lag);
        let Some(at) = old_enough else { continue };
        let known = history[at].1;
        history.drain(..at);
        let found = cache.get(&key_of(key)).expect("get");
        let begun = board.get(key, BEGUN);
        reads += 1;
        let wrong = match found {
            Some(value) => {
                let n = u64::from_le_bytes(value[..].try_into().expect("8 bytes"));
                (n < known || n > begun).then(|| format!("value {n}"))
            }
            // A deletion may have begun since.
            None => (known.is_multiple_of(2) && known != 0 && begun == known)
                .then(|| "nothing".to_owned()),
        };
        if let Some(what) = wrong {
            stale += 1;
            if first.is_empty() {
                first = format!("key{key}: {what}, acknowledged {known}, begun {begun}");
            }
        }
    }
    (reads, stale, first)
}

/// Does nothing but for the tests below, which run it in processes of its own.
#[test]
fn one_process_of_several() {
    let Ok(number) = std::env::var("TWAT_TEST_NUMBER") else { return };
    let var = |name: &str| std::env::var(name).expect("set by the test");
    let directory = tempfile::TempDir::new().expect("a directory");
    let mut names: Vec<&str> = vec!["memory", "disk"];
    let url = var("TWAT_TEST_URL");
    if !url.is_empty() {
        names[1] = "redis";
    }
    let mut config = stack(&names, &[], &url, &directory);
    if url.is_empty() {
        config = twat_cache::Config::new("tiered").expect("tiered");
        config.add_tier(twat_cache::Config::new("memory").expect("memory")).expect("a tier");
        let mut disk = twat_cache::Config::new("disk").expect("disk");
        for (name, value) in [
            ("path", &var("TWAT_TEST_STORE")[..]),
            ("map_size", "1073741824"),
            ("max_bytes", "268435456"),
        ] {
            disk.set(name, value).expect("an option");
        }
        config.add_tier(disk).expect("a tier");
    }
    config.set("tier_ttl_ms", "100").expect("an option");
    twat_cache::engine::tiered::set_unchecked(var("TWAT_TEST_UNCHECKED") == "1");
    let cache = Cache::open(&config).expect("open");
    let board =
        File::options().read(true).write(true).open(var("TWAT_TEST_BOARD")).expect("the board");
    let lag = Duration::from_millis(var("TWAT_TEST_LAG").parse().expect("milliseconds"));
    let number = number.parse().expect("a number");
    let (reads, stale, first) = work(&cache, &Board(board), number, lag);
    println!("RESULT {reads} {stale} {first}");
}

/// Runs the processes; returns reads and stale reads, and one of the latter.
fn processes(url: &str, store: &Path, lag_ms: u64, unchecked: bool) -> (u64, u64, String) {
    let board = tempfile::NamedTempFile::new().expect("a file");
    board.as_file().set_len(KEYS * 16).expect("its length");
    let children: Vec<_> = (0..PROCESSES)
        .map(|number| {
            Command::new(std::env::current_exe().expect("this program"))
                .args(["--exact", "coherence::one_process_of_several", "--nocapture"])
                .env("TWAT_TEST_NUMBER", number.to_string())
                .env("TWAT_TEST_URL", url)
                .env("TWAT_TEST_STORE", store)
                .env("TWAT_TEST_BOARD", board.path())
                .env("TWAT_TEST_LAG", lag_ms.to_string())
                .env("TWAT_TEST_UNCHECKED", if unchecked { "1" } else { "0" })
                .stdout(Stdio::piped())
                .spawn()
                .expect("a process")
        })
        .collect();
    let (mut reads, mut stale, mut first) = (0, 0, String::new());
    for child in children {
        let output = child.wait_with_output().expect("its output");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let result = text.split("RESULT ").nth(1).and_then(|rest| rest.lines().next());
        let result = result.unwrap_or_else(|| panic!("no result in {text}"));
        let mut words = result.splitn(3, ' ');
        let mut number =
            || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        reads += number();
        stale += number();
        if first.is_empty() {
            first = words.next().unwrap_or_default().to_owned();
        }
    }
    (reads, stale, first)
}

#[test]
fn over_a_disk_no_process_is_served_what_another_has_replaced_or_deleted() {
    let store = tempfile::tempdir().unwrap();
    let (reads, stale, first) = processes("", store.path(), 0, false);
    assert!(reads > 1000, "{reads}");
    assert_eq!(stale, 0, "{first}");
}

#[test]
fn over_a_disk_the_checker_sees_what_goes_wrong_without_the_check() {
    let store = tempfile::tempdir().unwrap();
    let (_, stale, _) = processes("", store.path(), 0, true);
    assert!(stale > 0, "the checker is blind");
}

/// How late an invalidation may be heard on a machine that is busy with
/// everything else that is being tested.
const HEARD_WITHIN_MS: u64 = 250;

#[test]
fn over_a_server_changes_of_other_processes_are_heard() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (reads, stale, first) = processes(&server.url(), store.path(), HEARD_WITHIN_MS, false);
    assert!(reads > 500, "{reads}");
    assert_eq!(stale, 0, "{first}");
}

#[test]
fn over_a_server_that_cannot_tell_copies_are_no_older_than_their_time() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    server.say("ACL SETUSER default -client|tracking");
    let (reads, stale, first) =
        processes(&server.url(), store.path(), 100 + HEARD_WITHIN_MS, false);
    assert!(reads > 500, "{reads}");
    assert_eq!(stale, 0, "{first}");
}

#[test]
fn over_a_server_the_checker_sees_what_goes_wrong_without_the_check() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    server.say("ACL SETUSER default -client|tracking");
    let (_, stale, _) = processes(&server.url(), store.path(), 100 + HEARD_WITHIN_MS, true);
    assert!(stale > 0, "the checker is blind");
}

#[test]
fn over_a_server_the_checker_sees_what_goes_wrong_when_nobody_listens() {
    let (server, store) = (Server::start(), tempfile::tempdir().unwrap());
    let (_, stale, _) = processes(&server.url(), store.path(), HEARD_WITHIN_MS, true);
    assert!(stale > 0, "the checker is blind");
}

//! Writers killed with -9 at any moment.
//!
//! Each writer owns its keys. Before an operation it notes its intent, after
//! the acknowledgement it notes that; both lines go to a file by one write, so
//! a kill loses none. The parent knows from them what each key must hold.

use crate::harness::*;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use twat_cache::{Cache, TTL_DEFAULT};

const WRITERS: u64 = 4;
const KEYS: u64 = 150;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Values,
    Blobs,
    /// A bound that evicts all the time, and a writer that clears.
    Evicting,
}

impl Kind {
    fn options(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Kind::Values => &[],
            Kind::Blobs => &[("inline_max_bytes", "4096")],
            Kind::Evicting => &[
                ("inline_max_bytes", "4096"),
                ("max_bytes", "2000000"),
                ("max_entries", "400"),
                ("map_size", "1073741824"),
            ],
        }
    }

    fn size(self, random: &mut Random) -> usize {
        let most = match (self, random.below(8)) {
            (Kind::Values, 0) => 30_000,
            (Kind::Values, _) => 400,
            (_, 0) => 150_000,
            (_, 1..4) => 20_000,
            (_, _) => 500,
        };
        random.below(most) as usize
    }

    fn parse(text: &str) -> Self {
        match text {
            "values" => Kind::Values,
            "blobs" => Kind::Blobs,
            _ => Kind::Evicting,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Values => "values",
            Kind::Blobs => "blobs",
            Kind::Evicting => "evicting",
        }
    }
}

fn key_of(writer: u64, key: u64) -> String {
    format!("writer {writer} key {key}")
}

/// What a writer noted about one key: the last acknowledged operation, and
/// those that were begun since. A version of 0 stands for a deletion.
#[derive(Clone, Debug, Default)]
struct Noted {
    acknowledged: Option<u64>,
    begun: Vec<u64>,
}

#[derive(Default)]
struct Notes {
    keys: BTreeMap<u64, Noted>,
    highest: u64,
    /// How much of the file was read.
    read: u64,
}

impl Notes {
    /// Reads on to the end of the file.
    fn read_on(&mut self, path: &Path) {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(path) {
            file.seek(SeekFrom::Start(self.read)).expect("a place");
            file.read_to_end(&mut bytes).expect("notes");
        }
        for record in bytes.chunks_exact(24) {
            let number = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
            let (what, key, version) = (number(0), number(8), number(16));
            let noted = self.keys.entry(key).or_default();
            match what {
                1 => noted.begun.push(version),
                _ => *noted = Noted { acknowledged: Some(version), begun: Vec::new() },
            }
            self.highest = self.highest.max(version);
            self.read += 24;
        }
    }
}

pub fn writer(args: &Args) {
    let kind = Kind::parse(&args["kind"]);
    let id: u64 = args["id"].parse().unwrap();
    let mut random = Random::new(args["seed"].parse().unwrap());
    let path = Path::new(&args["notes"]);
    let mut version: u64 = args["version"].parse().unwrap();
    let mut notes = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let mut note = |what: u64, key: u64, version: u64| {
        let record: Vec<u8> = [what, key, version].iter().flat_map(|n| n.to_le_bytes()).collect();
        notes.write_all(&record).unwrap();
    };
    let cache = open(Path::new(&args["dir"]), kind.options());
    tell("ready");
    loop {
        let number = random.below(KEYS);
        let key = key_of(id, number);
        match random.below(20) {
            0 => {
                note(1, number, 0);
                timely("delete", || cache.delete(key.as_bytes())).unwrap();
                note(2, number, 0);
            }
            1..4 => {
                let other = key_of(random.below(WRITERS), random.below(KEYS));
                if let Some(found) = timely("get", || cache.get(other.as_bytes())).unwrap() {
                    version_of(&other, &found).unwrap();
                }
            }
            4 if kind == Kind::Evicting && id == 0 && random.below(10) == 0 => {
                timely("clear", || cache.clear()).unwrap();
            }
            _ => {
                version += 1;
                let bytes = value(&key, version, kind.size(&mut random));
                note(1, number, version);
                timely("set", || cache.set(key.as_bytes(), &bytes, TTL_DEFAULT)).unwrap();
                note(2, number, version);
            }
        }
    }
}

/// Compares what the store holds with what a writer, dead now, had noted.
fn verify(cache: &Cache, kind: Kind, id: u64, notes: &Notes) {
    for (key, noted) in &notes.keys {
        let key = key_of(id, *key);
        let found = timely("get", || cache.get(key.as_bytes())).expect("a get");
        let found =
            found.map(|bytes| version_of(&key, &bytes).unwrap_or_else(|why| panic!("{why}")));
        let right = match found {
            None if kind == Kind::Evicting => true,
            None => noted.acknowledged.unwrap_or(0) == 0 || noted.begun.contains(&0),
            Some(version) => noted.acknowledged == Some(version) || noted.begun.contains(&version),
        };
        assert!(right, "{key}: found version {found:?}, noted was {noted:?}");
    }
}

fn writers_killed(kind: Kind, seed: u64) {
    let scene = Scene::new(&format!("killed-{}", kind.name()));
    let rounds = scaled(100);
    scene.log(format!("{} writers, {rounds} kills, {}, seed {seed}", WRITERS, kind.name()));
    let mut random = Random::new(seed);
    let store = scene.path("store");
    let path = |id: u64| scene.path(&format!("notes-{id}"));
    let mut notes: Vec<_> = (0..WRITERS).map(|_| Notes::default()).collect();
    let start = |id: u64, seed: u64, version: u64| {
        spawn(
            "writer",
            &args([
                ("kind", kind.name().into()),
                ("id", id.to_string()),
                ("seed", seed.to_string()),
                ("dir", store.display().to_string()),
                ("notes", path(id).display().to_string()),
                ("version", version.to_string()),
            ]),
        )
    };
    let cache = open(&store, kind.options());
    let mut writers: Vec<_> = (0..WRITERS).map(|id| start(id, random.next(), 0)).collect();
    for writer in &mut writers {
        writer.expect("ready");
    }
    let mut operations = 0;
    for round in 0..rounds {
        scene.progress(round, rounds);
        std::thread::sleep(Duration::from_micros(random.below(25_000)));
        let id = random.below(WRITERS);
        let writer = &mut writers[id as usize];
        if let Some(status) = writer.child.try_wait().expect("a child") {
            panic!("round {round}: writer {id} ended by itself: {status}");
        }
        writer.kill();
        let noted = &mut notes[id as usize];
        noted.read_on(&path(id));
        verify(&cache, kind, id, noted);
        writers[id as usize] = start(id, random.next(), noted.highest);
        // Not waited for: the next kill may hit its opening.
        if round % 4 == 0 {
            let started = Instant::now();
            writers[id as usize].expect("ready");
            assert!(started.elapsed() < 2 * HANG, "opening took {:?}", started.elapsed());
        }
    }
    for writer in &mut writers {
        writer.kill();
    }
    drop(cache);
    let cache = open(&store, &[kind.options(), &[("check", "open")]].concat());
    for id in 0..WRITERS {
        let noted = &mut notes[id as usize];
        noted.read_on(&path(id));
        operations += noted.highest;
        verify(&cache, kind, id, noted);
    }
    let checked = cache.check(true).expect("a check");
    assert_eq!((&checked["bad"], &checked["file_sound"]), (&0.into(), &true.into()), "{checked:?}");
    assert_eq!(checked["books_corrected"], false, "{checked:?}");
    let stats = cache.stats().expect("stats").engine;
    assert!(stats.max_entries == 0 || stats.entries <= stats.max_entries, "{stats:?}");
    assert!(stats.bytes <= stats.max_bytes, "{stats:?}");
    cache.set(b"after", b"all", TTL_DEFAULT).expect("a set");
    drop(cache);
    assert_walker_finds_it_sound(&store);
    assert_py_lmdb_finds_it_sound(&store);
    scene.log(format!("{operations} sets"));
}

#[test]
fn writers_killed_with_9_lose_no_acknowledged_value() {
    writers_killed(Kind::Values, 101);
}

#[test]
fn writers_of_blobs_killed_with_9_lose_no_acknowledged_value() {
    writers_killed(Kind::Blobs, 102);
}

#[test]
fn writers_killed_with_9_during_eviction_and_clear_serve_nothing_wrong() {
    writers_killed(Kind::Evicting, 103);
}

use super::*;
use lmdb::{Cursor, DatabaseFlags, Environment, EnvironmentFlags, Transaction, WriteFlags};
use proptest::prelude::*;
use std::path::Path;

fn open(dir: &Path) -> Environment {
    Environment::new()
        .set_flags(EnvironmentFlags::NO_SYNC | EnvironmentFlags::NO_TLS)
        .set_map_size(1 << 30)
        .set_max_dbs(200)
        .open(dir)
        .expect("an LMDB environment")
}

fn judge(dir: &Path) -> Verdict {
    walk(&File::open(dir.join("data.mdb")).expect("data.mdb")).expect("a readable file")
}

/// The figures of a store that must be sound, short or not.
fn sound(dir: &Path) -> Figures {
    match judge(dir) {
        Verdict::Sound(figures) | Verdict::Short { figures, .. } => {
            assert_eq!(figures.unlisted, 0, "every page is in use or free");
            figures
        }
        other => panic!("a healthy store was judged {other:?}"),
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn fill(env: &Environment, name: Option<&str>, keys: std::ops::Range<u64>, size: usize) {
    let db = env.create_db(name, DatabaseFlags::empty()).expect("a database");
    for chunk in keys.collect::<Vec<_>>().chunks(500) {
        let mut txn = env.begin_rw_txn().expect("a transaction");
        for key in chunk {
            let key = format!("key {:016x}", key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            txn.put(db, &key, &vec![key.len() as u8; size], WriteFlags::empty()).expect("put");
        }
        txn.commit().expect("commit");
    }
}

#[test]
fn an_empty_store_is_sound() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(dir.path()));
    let figures = sound(dir.path());
    assert_eq!((figures.reached, figures.free, figures.last_page), (0, 0, 1));
    std::fs::write(dir.path().join("data.mdb"), b"").expect("write");
    assert_eq!(judge(dir.path()), Verdict::Empty);
    std::fs::write(dir.path().join("data.mdb"), vec![7; 9000]).expect("write");
    assert_eq!(judge(dir.path()), Verdict::NotOurs);
}

#[test]
fn deep_trees_large_values_and_many_databases_are_sound() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = open(dir.path());
    fill(&env, Some("deep"), 0..60_000, 16);
    fill(&env, Some("large"), 0..60, 100_000);
    for n in 0..120 {
        fill(&env, Some(&format!("database {n}")), 0..n, 300);
    }
    let figures = sound(dir.path());
    let deep = figures.databases.iter().find(|db| db.name == "deep").expect("deep");
    assert_eq!(deep.entries, 60_000);
    assert!(deep.depth >= 3, "{deep:?}");
    assert_eq!(figures.databases.len(), 123);
}

#[test]
fn a_store_after_deletes_is_sound() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = open(dir.path());
    fill(&env, Some("a"), 0..20_000, 60);
    fill(&env, Some("b"), 0..200, 20_000);
    let a = env.open_db(Some("a")).expect("a");
    let mut txn = env.begin_rw_txn().expect("a transaction");
    {
        let mut cursor = txn.open_rw_cursor(a).expect("a cursor");
        for _ in 0..19_000 {
            cursor.get(None, None, lmdb_sys::MDB_NEXT).expect("next");
            cursor.del(WriteFlags::empty()).expect("delete");
        }
    }
    txn.commit().expect("commit");
    assert!(sound(dir.path()).free > 100);
    let b = env.open_db(Some("b")).expect("b");
    let mut txn = env.begin_rw_txn().expect("a transaction");
    txn.clear_db(b).expect("clear");
    txn.commit().expect("commit");
    sound(dir.path());
    fill(&env, Some("c"), 0..5_000, 600);
    sound(dir.path());
}

#[test]
fn duplicates_of_every_kind_are_sound() {
    let kinds = [
        DatabaseFlags::DUP_SORT,
        DatabaseFlags::DUP_SORT | DatabaseFlags::DUP_FIXED,
        DatabaseFlags::DUP_SORT | DatabaseFlags::DUP_FIXED | DatabaseFlags::INTEGER_DUP,
        DatabaseFlags::DUP_SORT | DatabaseFlags::REVERSE_DUP,
        DatabaseFlags::REVERSE_KEY,
        DatabaseFlags::INTEGER_KEY,
    ];
    for (index, flags) in kinds.into_iter().enumerate() {
        let dir = tempfile::tempdir().expect("a directory");
        let env = open(dir.path());
        let db = env.create_db(Some("db"), flags).expect("a database");
        let mut random = Random(index as u64 + 1);
        for _ in 0..40 {
            let mut txn = env.begin_rw_txn().expect("a transaction");
            for _ in 0..200 {
                let key = random.below(300).to_ne_bytes();
                // Some keys get few duplicates, some enough for a tree.
                let many = if key[0] < 3 { 5_000 } else { 5 };
                let item = random.below(many).to_ne_bytes();
                txn.put(db, &key, &item, WriteFlags::empty()).expect("put");
                if random.below(4) == 0 {
                    let key = random.below(300).to_ne_bytes();
                    match txn.del(db, &key, None) {
                        Ok(()) | Err(lmdb::Error::NotFound) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            txn.commit().expect("commit");
            sound(dir.path());
        }
        let entries = sound(dir.path()).databases[1].entries;
        let txn = env.begin_ro_txn().expect("a transaction");
        let mut cursor = txn.open_ro_cursor(db).expect("a cursor");
        assert_eq!(cursor.iter_start().count() as u64, entries, "{flags:?}");
    }
}

/// Random puts, deletes, clears and abandoned transactions, small and large,
/// over several databases; each commit is walked.
fn healthy_commits(seed: u64, commits: u64, judge_every: u64) -> u64 {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = open(dir.path());
    let mut random = Random(seed);
    let mut shorter = 0;
    for commit in 0..commits {
        if random.below(200) == 0 {
            drop(env);
            env = open(dir.path());
        }
        let name = ["a", "b", "c"][random.below(3) as usize];
        let db = env.create_db(Some(name), DatabaseFlags::empty()).expect("a database");
        let mut txn = env.begin_rw_txn().expect("a transaction");
        for _ in 0..random.below(12) + 1 {
            let key = format!("{:05}", random.below(4_000)).repeat(random.below(9) as usize + 1);
            let size = match random.below(10) {
                0 => random.below(60_000),
                1 => random.below(5_000),
                _ => random.below(300),
            };
            if random.below(3) == 0 {
                txn.del(db, &key, None).ok();
            } else {
                txn.put(db, &key, &vec![1; size as usize], WriteFlags::empty()).expect("put");
            }
        }
        if random.below(500) == 0 {
            txn.clear_db(db).expect("clear");
        }
        match random.below(20) {
            0 => txn.abort(),
            _ => txn.commit().expect("commit"),
        }
        if commit % judge_every == 0 {
            shorter += u64::from(matches!(judge(dir.path()), Verdict::Short { .. }));
            sound(dir.path());
        }
    }
    shorter
}

#[test]
fn healthy_commits_are_never_judged_damaged() {
    for seed in 1..=4 {
        healthy_commits(seed, 500, 5);
    }
}

/// The bytes of a small store with every kind of page.
fn sample() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let env = open(dir.path());
    fill(&env, Some("a"), 0..2_000, 60);
    fill(&env, Some("b"), 0..10, 20_000);
    let flags = DatabaseFlags::DUP_SORT | DatabaseFlags::DUP_FIXED;
    let db = env.create_db(Some("d"), flags).expect("a database");
    let mut txn = env.begin_rw_txn().expect("a transaction");
    for n in 0_u64..3_000 {
        txn.put(db, &[(n % 7) as u8], &n.to_ne_bytes(), WriteFlags::empty()).expect("put");
    }
    txn.commit().expect("commit");
    fill(&env, Some("a"), 0..50, 90);
    drop(env);
    let bytes = std::fs::read(dir.path().join("data.mdb")).expect("data.mdb");
    assert!(matches!(walk(&bytes[..]), Ok(Verdict::Sound(_))));
    bytes
}

#[test]
fn damage_of_each_page_header_is_seen() {
    let bytes = sample();
    let Ok(Verdict::Sound(figures)) = walk(&bytes[..]) else { panic!("sound") };
    let mut seen = 0;
    for page in 2..=figures.last_page {
        let mut damaged = bytes.clone();
        let at = page as usize * 4096;
        for byte in &mut damaged[at..at + 16] {
            *byte ^= 0xff;
        }
        seen += u64::from(matches!(walk(&damaged[..]), Ok(Verdict::Bad(_))));
    }
    // All but free pages and the tails of large values, which have no header.
    let tails = 10 * 4;
    assert_eq!(seen, figures.reached - tails);
}

/// Pages of these flags, by their offset.
fn pages_of(bytes: &[u8], flags: u16) -> impl Iterator<Item = usize> + '_ {
    (2..bytes.len() / 4096).map(|page| page * 4096).filter(move |at| {
        page::u16_at(bytes, at + 10) == flags && page::u64_at(bytes, *at) == *at as u64 / 4096
    })
}

fn why_bad(damaged: &[u8]) -> String {
    match walk(damaged).expect("a verdict") {
        Verdict::Bad(bad) => bad.why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_kind_of_structural_damage_is_named() {
    let bytes = sample();
    let newest = usize::from(page::u64_at(&bytes, 4096 + 144) > page::u64_at(&bytes, 144));
    let meta = Meta::read(&bytes[newest * 4096..]).expect("a meta page");
    let named = walk(&bytes[..]).expect("a verdict");
    assert!(matches!(named, Verdict::Sound(_)));

    // Two keys of a leaf that is in use change places. A page that is free
    // is none of ours, so each is tried until one is seen.
    let swapped = pages_of(&bytes, page::P_LEAF).find_map(|at| {
        let mut damaged = bytes.clone();
        if page::u16_at(&bytes, at + 12) < 20 {
            return None;
        }
        damaged[at + 16..at + 20].rotate_left(2);
        match walk(&damaged[..]).expect("a verdict") {
            Verdict::Bad(bad) => Some(bad.why),
            _ => None,
        }
    });
    assert!(swapped.as_ref().is_some_and(|why| why.contains("out of order")), "{swapped:?}");

    // Two children of a branch are one page.
    let twice = pages_of(&bytes, page::P_BRANCH).find_map(|at| {
        let node = |n: usize| at + usize::from(page::u16_at(&bytes, at + 16 + 2 * n));
        let mut damaged = bytes.clone();
        let first = bytes[node(0)..node(0) + 6].to_vec();
        damaged[node(1)..node(1) + 6].copy_from_slice(&first);
        match walk(&damaged[..]).expect("a verdict") {
            Verdict::Bad(bad) => Some(bad.why),
            _ => None,
        }
    });
    assert!(twice.as_ref().is_some_and(|why| why.contains("another use")), "{twice:?}");

    // The free list has a page that is in use: the last one of a record.
    let leaf = meta.free.root as usize * 4096;
    let node = leaf + usize::from(page::u16_at(&bytes, leaf + 16));
    let list = node + 8 + 8;
    let count = page::u64_at(&bytes, list) as usize;
    let mut damaged = bytes.clone();
    damaged[list + 8 * count..][..8].copy_from_slice(&2_u64.to_ne_bytes());
    damaged[list] = damaged[list].max(1);
    let why = why_bad(&damaged);
    assert!(why.contains("another use") || why.contains("free page"), "{why}");

    // Counts of the main database, each by one.
    for field in [8, 16, 24, 32] {
        let mut damaged = bytes.clone();
        damaged[newest * 4096 + 16 + 72 + field] ^= 1;
        let why = why_bad(&damaged);
        assert!(why.contains("its record says"), "{why}");
    }
    // Its root, beyond the file and at a page of another kind.
    for root in [meta.last_page + 7, 1] {
        let mut damaged = bytes.clone();
        damaged[newest * 4096 + 16 + 72 + 40..][..8].copy_from_slice(&root.to_ne_bytes());
        why_bad(&damaged);
    }
}

#[test]
fn a_cut_file_is_bad_or_short_and_never_sound() {
    let bytes = sample();
    for length in (0..bytes.len()).step_by(1000) {
        let verdict = walk(&bytes[..length]).expect("a verdict");
        assert!(!matches!(verdict, Verdict::Sound(_)), "{length}: {verdict:?}");
    }
}

#[test]
fn an_older_meta_page_that_claims_to_be_newer_is_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let last_page = |bytes: &[u8], meta: usize| page::u64_at(bytes, meta * 4096 + 16 + 120);
    for commit in 0..9 {
        // Each commit takes new pages, since the keys are new.
        fill(&open(dir.path()), Some("a"), commit * 400..(commit + 1) * 400, 60);
        let bytes = std::fs::read(dir.path().join("data.mdb")).expect("data.mdb");
        if commit == 0 || last_page(&bytes, 0) == last_page(&bytes, 1) {
            continue;
        }
        for (page, bit) in (0..2).flat_map(|page| (0..64).map(move |bit| (page, bit))) {
            let mut damaged = bytes.clone();
            damaged[page * 4096 + 16 + 128 + bit / 8] ^= 1 << (bit % 8);
            let verdict = walk(&damaged[..]).expect("a verdict");
            assert!(matches!(verdict, Verdict::Bad(_)), "{commit} {page} {bit}: {verdict:?}");
        }
    }
}

#[test]
fn a_commit_whose_meta_page_could_not_be_written_leaves_a_sound_store() {
    let bytes = sample();
    let newest = usize::from(page::u64_at(&bytes, 4096 + 144) > page::u64_at(&bytes, 144));
    let (at, other) = (newest * 4096 + 16, (1 - newest) * 4096 + 16);
    // What mdb_env_write_meta restores after a failure.
    let mut failed = bytes.clone();
    let txn = page::u64_at(&bytes, at + 128) - 2;
    failed[at + 120..at + 128].copy_from_slice(&bytes[other + 120..other + 128]);
    failed[at + 128..at + 136].copy_from_slice(&txn.to_ne_bytes());
    let verdict = walk(&failed[..]).expect("a verdict");
    assert!(matches!(verdict, Verdict::Sound(_)), "{verdict:?}");
}

#[test]
fn a_snapshot_is_judged_while_others_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let env = open(dir.path());
    fill(&env, Some("a"), 0..2_000, 60);
    let reader = env.begin_ro_txn().expect("a transaction");
    let txn = sound(dir.path()).txn;
    fill(&env, Some("a"), 0..400, 61);
    let file = File::open(dir.path().join("data.mdb")).expect("data.mdb");
    let verdict = walk_snapshot(&file, Some(txn)).expect("a verdict");
    assert!(matches!(verdict, Verdict::Sound(_)), "{verdict:?}");
    fill(&env, Some("a"), 0..2_000, 62);
    let gone = walk_snapshot(&file, Some(txn)).map_err(|error| error.kind());
    assert_eq!(gone, Err(io::ErrorKind::NotFound));
    drop(reader);
}

fn sample_once() -> &'static [u8] {
    static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(sample)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_damage_makes_the_walk_panic_or_loop(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        page in prop::option::of((any::<prop::sample::Index>(), any::<u64>())),
        headers in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = sample_once().to_vec();
        for (index, value) in flips {
            let mut at = index.index(bytes.len());
            if headers {
                at = at / 4096 * 4096 + at % 160;
            }
            bytes[at] ^= value;
        }
        if let Some((index, seed)) = page {
            let at = index.index(bytes.len() / 4096) * 4096;
            let mut random = Random(seed | 1);
            bytes[at..at + 4096].fill_with(|| random.next() as u8);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(sample_once().len()));
        }
        walk(&bytes[..]).ok();
    }

    #[test]
    fn no_bytes_at_all_make_the_walk_panic(bytes in prop::collection::vec(any::<u8>(), 0..20_000)) {
        walk(&bytes[..]).ok();
    }
}

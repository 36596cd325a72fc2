use super::*;
use lmdb::{DatabaseFlags, Environment, EnvironmentFlags, Transaction, WriteFlags};
use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Barrier, Mutex, MutexGuard};

/// The boot id belongs to the process: tests that change it take turns.
fn boot(id: &str) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    set_boot_id(id);
    turn
}

fn store() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().expect("a directory");
    let dir = parent.path().join("store");
    std::fs::create_dir(&dir).expect("a directory");
    (parent, dir)
}

fn fill(dir: &Path, entries: u32) {
    let flags = EnvironmentFlags::NO_SYNC | EnvironmentFlags::NO_TLS;
    let env = Environment::new().set_flags(flags).set_max_dbs(4).open(dir).expect("LMDB");
    let db = env.create_db(Some("db"), DatabaseFlags::empty()).expect("a database");
    for round in 0..3_u8 {
        let mut txn = env.begin_rw_txn().expect("a transaction");
        for n in 0..entries {
            txn.put(db, &n.to_be_bytes(), &[round; 100], WriteFlags::empty()).expect("put");
        }
        txn.commit().expect("commit");
    }
}

/// Spoils a page of the main tree, by its flags.
fn damage(dir: &Path) {
    let data = OpenOptions::new().read(true).write(true).open(dir.join(DATA)).expect("data");
    let (mut page, mut header) = (2_u64, [0_u8; 16]);
    // Every page but the metas: whichever is reachable is hit.
    while data.read_exact_at(&mut header, page * 4096).is_ok() {
        data.write_all_at(&[0xff; 2], page * 4096 + 10).expect("write");
        page += 1;
    }
}

fn opening(dir: &Path, check: Check) -> Opening<'_> {
    Opening { dir, check, read_only: false, mode: 0o600, names: &["db"], kept: &[] }
}

fn enter_auto(dir: &Path) -> (Guard, Decision) {
    enter(&opening(dir, Check::Auto)).expect("an entry")
}

#[test]
fn a_clean_close_is_not_judged_after_a_reboot() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, decision) = enter_auto(&dir);
    assert_eq!(decision, Decision::Open(None));
    guard.before_write().expect("a mark");
    fill(&dir, 100);
    assert!(guard.leave(), "the last one marks the store clean");
    set_boot_id("second");
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
}

#[test]
fn a_file_that_somebody_else_changed_after_a_clean_close_is_judged() {
    let _turn = boot("first");
    for spoil in [false, true] {
        let (_parent, dir) = store();
        let (guard, _) = enter_auto(&dir);
        guard.before_write().expect("a mark");
        fill(&dir, 100);
        assert!(guard.leave());
        if spoil {
            damage(&dir)
        } else {
            fill(&dir, 120)
        }
        match enter_auto(&dir).1 {
            Decision::Open(Some(figures)) if !spoil => {
                assert_eq!(figures.databases[1].entries, 120)
            }
            Decision::SetAside { .. } if spoil => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    }
}

#[test]
fn a_store_that_was_never_closed_is_verified_once_and_kept() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    guard.before_write().expect("a mark");
    fill(&dir, 100);
    drop(guard);
    // In the same boot, and again in the next: nobody wrote since.
    for id in ["first", "second"] {
        set_boot_id(id);
        match enter_auto(&dir).1 {
            Decision::Open(Some(figures)) => assert_eq!(figures.databases[1].entries, 100),
            other => panic!("{other:?}"),
        }
        assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    }
    // What was read after a reboot is what the disk has.
    set_boot_id("third");
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))), "it was not synced");
}

#[test]
fn what_was_read_after_a_reboot_is_not_read_again_after_the_next() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    guard.before_write().expect("a mark");
    fill(&dir, 100);
    drop(guard);
    set_boot_id("second");
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))));
    set_boot_id("third");
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
}

#[test]
fn a_damaged_store_that_was_never_closed_is_set_aside_in_any_boot() {
    let _turn = boot("first");
    for id in ["first", "second"] {
        set_boot_id("first");
        let (parent, dir) = store();
        let (guard, _) = enter_auto(&dir);
        guard.before_write().expect("a mark");
        fill(&dir, 100);
        std::fs::create_dir(dir.join("blobs")).expect("a directory");
        damage(&dir);
        drop(guard);
        set_boot_id(id);
        match enter_auto(&dir).1 {
            Decision::SetAside { to, why } => {
                assert!(to.join(DATA).exists() && to.join("blobs").exists(), "{why}");
                assert!(to.starts_with(parent.path().canonicalize().expect("a path")));
            }
            other => panic!("{other:?}"),
        }
        let left = std::fs::read_dir(&dir).expect("dir").flatten();
        let mut left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        left.sort();
        assert_eq!(left, [MARK, DATA, LOCK]);
        assert_eq!(std::fs::metadata(dir.join(DATA)).expect("data").len(), 0);
        assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    }
}

/// A store that its last user closed.
fn closed(dir: &Path) {
    let (guard, _) = enter_auto(dir);
    guard.before_write().expect("a mark");
    fill(dir, 100);
    assert!(guard.leave());
}

#[test]
fn bytes_changed_in_place_after_a_close_are_found_whatever_times_the_file_is_given() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    closed(&dir);
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    let data = OpenOptions::new().write(true).open(dir.join(DATA)).expect("data");
    let before = data.metadata().expect("metadata");
    damage(&dir);
    data.set_modified(before.modified().expect("a time")).expect("times");
    let after = data.metadata().expect("metadata");
    assert_eq!((after.len(), after.ino()), (before.len(), before.ino()));
    assert!(matches!(enter_auto(&dir).1, Decision::SetAside { .. }));
}

#[test]
fn a_copy_of_a_store_is_verified_whatever_its_mark_says() {
    let _turn = boot("first");
    for live in [false, true] {
        let (parent, dir) = store();
        closed(&dir);
        let writer = live.then(|| enter_auto(&dir).0);
        writer.iter().for_each(|writer| writer.before_write().expect("a mark"));
        let copy = parent.path().join("copy");
        let copied = std::process::Command::new("cp").arg("-a").args([&dir, &copy]).status();
        assert!(copied.expect("cp").success());
        assert!(matches!(enter_auto(&copy).1, Decision::Open(Some(_))), "live: {live}");
    }
}

#[test]
fn a_large_store_that_was_closed_is_trusted_until_the_next_boot() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    guard.before_write().expect("a mark");
    fill(&dir, 100);
    let data = OpenOptions::new().write(true).open(dir.join(DATA)).expect("data");
    data.set_len(SYNCED_AT_CLOSE + 1).expect("a large file");
    assert!(guard.leave());
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    set_boot_id("second");
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))));
}

#[test]
fn a_suspicion_outlives_the_writes_and_the_close_of_others() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    closed(&dir);
    let (one, _) = enter_auto(&dir);
    one.suspect();
    let (other, _) = enter_auto(&dir);
    other.before_write().expect("a mark");
    drop(one);
    assert!(!other.leave());
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))));
}

#[test]
fn a_store_with_other_databases_than_ours_is_set_aside() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    fill(&dir, 100);
    let others = Opening { names: &["order", "tags"], ..opening(&dir, Check::Auto) };
    match enter(&others).expect("an entry").1 {
        Decision::SetAside { why, .. } => assert!(why.contains("expected the databases"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_was_removed_or_replaced_while_the_store_is_open_is_refused() {
    let _turn = boot("first");
    for name in [MARK, LOCK, DATA] {
        for replaced in [false, true] {
            let (_parent, dir) = store();
            closed(&dir);
            let (first, _) = enter_auto(&dir);
            let path = dir.join(name);
            let copy = dir.join("copy");
            std::fs::copy(&path, &copy).expect("a copy");
            std::fs::remove_file(&path).expect("removed");
            if replaced {
                std::fs::rename(&copy, &path).expect("replaced");
            }
            let refused = enter(&opening(&dir, Check::Auto)).map(|(_, decision)| decision);
            let error = refused.expect_err(name);
            assert_eq!(error.code(), Code::Busy, "{name} {replaced}: {error}");
            assert!(error.text().contains(name), "{error}");
            drop(first);
            enter_auto(&dir);
        }
    }
}

#[test]
fn what_happens_to_the_data_file_of_an_open_store_is_seen() {
    let _turn = boot("first");
    type Act = fn(&Path);
    let acts: [(&str, Act); 4] = [
        ("was cut", |data| {
            OpenOptions::new().write(true).open(data).expect("data").set_len(4096).expect("a cut")
        }),
        ("was removed", |data| std::fs::remove_file(data).expect("removed")),
        ("was removed", |data| {
            std::fs::copy(data, data.with_extension("bak")).expect("a copy");
            std::fs::rename(data.with_extension("bak"), data).expect("moved over it");
        }),
        ("was replaced", |data| {
            std::fs::rename(data, data.with_extension("old")).expect("moved away");
            std::fs::copy(data.with_extension("old"), data).expect("a copy");
        }),
    ];
    for (expected, act) in acts {
        let (_parent, dir) = store();
        closed(&dir);
        let (guard, _) = enter_auto(&dir);
        guard.before_write().expect("a mark");
        guard.look().and(guard.look_by_name()).expect("nothing happened");
        act(&dir.join(DATA));
        let error = guard.look().and(guard.look_by_name()).expect_err(expected);
        assert_eq!(error.code(), Code::Corrupt, "{error}");
        assert!(error.text().contains(expected), "{error}");
        assert!(!guard.leave(), "{expected}: marked as it should be");
    }
}

#[test]
fn an_open_keeps_cleaners_away() {
    use std::time::SystemTime;
    let _turn = boot("first");
    let (_parent, dir) = store();
    closed(&dir);
    let names = [MARK, LOCK, DATA];
    let old = SystemTime::now() - Duration::from_secs(30 * 86_400);
    for name in names {
        let file = OpenOptions::new().write(true).open(dir.join(name)).expect(name);
        file.set_modified(old).expect("times");
    }
    // Their times changed, so it is verified once; then no more.
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))));
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    for name in names {
        let found = std::fs::metadata(dir.join(name)).expect(name).modified().expect("a time");
        assert!(found.elapsed().expect("past") < Duration::from_secs(3600), "{name}");
    }
}

/// A store whose file can lose its last page without harm: a large value that
/// was deleted, and nothing after it.
fn with_free_tail(dir: &Path) {
    fill(dir, 100);
    let env = Environment::new().set_max_dbs(4).open(dir).expect("LMDB");
    let db = env.open_db(Some("db")).expect("a database");
    for value in [Some(vec![1; 400_000]), None, Some(vec![2; 10])] {
        let mut txn = env.begin_rw_txn().expect("a transaction");
        match value {
            Some(value) => txn.put(db, b"large", &value, WriteFlags::empty()).expect("put"),
            None => txn.del(db, b"large", None).expect("delete"),
        }
        txn.commit().expect("commit");
    }
}

#[test]
fn of_stores_that_were_set_aside_the_newest_three_are_kept() {
    let _turn = boot("first");
    let (place, dir) = store();
    // What only looks like one, and what a link leads to, is nobody's to remove.
    let foreign = ["store.corrupt-", "store.corrupt-1x", "store.corrupt-1-", "other.corrupt-1"];
    foreign.iter().for_each(|name| std::fs::create_dir(place.path().join(name)).unwrap());
    std::fs::write(place.path().join("store.corrupt-5"), b"a file").unwrap();
    std::os::unix::fs::symlink("other.corrupt-1", place.path().join("store.corrupt-6")).unwrap();
    for old in ["store.corrupt-7", "store.corrupt-7-12"] {
        std::fs::create_dir(place.path().join(old)).unwrap();
        std::fs::write(place.path().join(old).join(DATA), b"old").unwrap();
    }
    let mut newest = Vec::new();
    for _ in 0..5 {
        fill(&dir, 100);
        damage(&dir);
        std::fs::write(dir.join(MARK), b"damaged").unwrap();
        let (_guard, decision) = enter_auto(&dir);
        let Decision::SetAside { to, .. } = decision else { panic!("{decision:?}") };
        newest.push(to);
    }
    let left: BTreeSet<_> =
        std::fs::read_dir(place.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    let others = ["store", "store.corrupt-5", "store.corrupt-6"].iter().chain(&foreign);
    let mut expected: BTreeSet<_> = others.map(|name| place.path().join(name)).collect();
    expected.extend(newest.last().cloned());
    // Those of one second may have taken the names of others that are gone.
    assert!(left.is_superset(&expected) && left.len() == expected.len() + 2, "{left:?}");
    assert!(!left.contains(&place.path().join("store.corrupt-7")), "{left:?}");
}

#[test]
fn a_short_file_is_extended_and_not_set_aside() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    with_free_tail(&dir);
    guard.before_write().expect("a mark");
    let data = OpenOptions::new().write(true).open(dir.join(DATA)).expect("data");
    let whole = data.metadata().expect("metadata").len();
    data.set_len(whole - 4096).expect("truncate");
    drop(guard);
    assert_eq!(enter_auto(&dir).1, Decision::Extended { from: whole - 4096, to: whole });
    assert_eq!(data.metadata().expect("metadata").len(), whole);
}

#[test]
fn a_file_that_somebody_cut_is_set_aside_in_the_same_boot() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    fill(&dir, 1000);
    guard.before_write().expect("a mark");
    let data = OpenOptions::new().write(true).open(dir.join(DATA)).expect("data");
    data.set_len(5 * 4096).expect("truncate");
    drop(guard);
    assert!(matches!(enter_auto(&dir).1, Decision::SetAside { .. }));
}

#[test]
fn nobody_judges_while_another_has_the_store_open() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (first, _) = enter_auto(&dir);
    first.before_write().expect("a mark");
    fill(&dir, 100);
    damage(&dir);
    set_boot_id("second");
    let (second, decision) = enter(&opening(&dir, Check::Open)).expect("an entry");
    assert_eq!(decision, Decision::Open(None));
    assert!(!second.leave(), "the first one still has it open");
    drop(first);
    let decision = enter(&opening(&dir, Check::Open)).expect("an entry").1;
    assert!(matches!(decision, Decision::SetAside { .. }), "{decision:?}");
}

#[test]
fn of_many_who_open_a_damaged_store_at_once_one_sets_it_aside() {
    let _turn = boot("first");
    for _ in 0..20 {
        let (parent, dir) = store();
        let (guard, _) = enter_auto(&dir);
        fill(&dir, 50);
        damage(&dir);
        drop(guard);
        let barrier = Barrier::new(8);
        let open = || {
            barrier.wait();
            let entered = enter(&opening(&dir, Check::Open)).expect("an entry");
            barrier.wait();
            entered.1
        };
        let decisions: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let aside = decisions.iter().filter(|d| matches!(d, Decision::SetAside { .. })).count();
        assert_eq!(aside, 1, "{decisions:?}");
        assert_eq!(std::fs::read_dir(parent.path()).expect("dir").count(), 2);
    }
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_alone() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    std::fs::write(dir.join(DATA), vec![b'x'; 10_000]).expect("write");
    let error = enter(&opening(&dir, Check::Auto)).expect_err("a refusal");
    assert_eq!(error.code(), Code::Corrupt);
    assert_eq!(std::fs::read(dir.join(DATA)).expect("read").len(), 10_000);
}

#[test]
fn a_torn_mark_and_a_suspicion_are_judged() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    fill(&dir, 100);
    guard.suspect();
    drop(guard);
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))));
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    std::fs::write(dir.join(MARK), b"dir").expect("write");
    assert!(matches!(enter_auto(&dir).1, Decision::Open(Some(_))));
}

#[test]
fn a_damaged_store_on_read_only_media_is_refused() {
    let _turn = boot("first");
    let (parent, dir) = store();
    fill(&dir, 100);
    let open = |check| enter(&Opening { read_only: true, ..opening(&dir, check) });
    assert_eq!(open(Check::Auto).expect("an entry").1, Decision::Open(None));
    damage(&dir);
    assert_eq!(open(Check::Open).expect_err("a refusal").code(), Code::Corrupt);
    assert_eq!(std::fs::read_dir(parent.path()).expect("dir").count(), 1);
}

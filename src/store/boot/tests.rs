use super::*;
use lmdb::{DatabaseFlags, Environment, EnvironmentFlags, Transaction, WriteFlags};
use std::collections::BTreeSet;
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

fn enter_auto(dir: &Path) -> (Guard, Decision) {
    enter(dir, Check::Auto, false, 0o600).expect("an entry")
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
fn an_unclean_boot_is_judged_and_a_sound_store_kept() {
    let _turn = boot("first");
    let (_parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    guard.before_write().expect("a mark");
    fill(&dir, 100);
    drop(guard);
    // The same boot: the kernel has every page.
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    set_boot_id("second");
    match enter_auto(&dir).1 {
        Decision::Open(Some(figures)) => assert_eq!(figures.databases[1].entries, 100),
        other => panic!("{other:?}"),
    }
    // Judged once, not again, though nobody wrote since.
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
    set_boot_id("third");
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
}

#[test]
fn a_damaged_store_is_set_aside_after_an_unclean_boot() {
    let _turn = boot("first");
    let (parent, dir) = store();
    let (guard, _) = enter_auto(&dir);
    guard.before_write().expect("a mark");
    fill(&dir, 100);
    std::fs::create_dir(dir.join("blobs")).expect("a directory");
    damage(&dir);
    drop(guard);
    assert_eq!(enter_auto(&dir).1, Decision::Open(None), "the same boot is not judged");
    set_boot_id("second");
    match enter_auto(&dir).1 {
        Decision::SetAside { to, why } => {
            assert!(to.join(DATA).exists() && to.join("blobs").exists(), "{why}");
            assert!(to.starts_with(parent.path().canonicalize().expect("a path")));
        }
        other => panic!("{other:?}"),
    }
    let mut left: Vec<_> =
        std::fs::read_dir(&dir).expect("dir").flatten().map(|e| e.file_name()).collect();
    left.sort();
    assert_eq!(left, [MARK, crate::store::blocks::LOCK]);
    assert_eq!(enter_auto(&dir).1, Decision::Open(None));
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
    let (second, decision) = enter(&dir, Check::Open, false, 0o600).expect("an entry");
    assert_eq!(decision, Decision::Open(None));
    assert!(!second.leave(), "the first one still has it open");
    drop(first);
    let decision = enter(&dir, Check::Open, false, 0o600).expect("an entry").1;
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
            let entered = enter(&dir, Check::Open, false, 0o600).expect("an entry");
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
    let error = enter(&dir, Check::Auto, false, 0o600).expect_err("a refusal");
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
    let open = |check| enter(&dir, check, true, 0o600);
    assert_eq!(open(Check::Auto).expect("an entry").1, Decision::Open(None));
    damage(&dir);
    assert_eq!(open(Check::Open).expect_err("a refusal").code(), Code::Corrupt);
    assert_eq!(std::fs::read_dir(parent.path()).expect("dir").count(), 1);
}

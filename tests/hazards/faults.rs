//! Each call to the system that can fail is made to fail, one by one, by a
//! shim that the child preloads (tests/shim/failio.c).
#![expect(unsafe_code, reason = "calls into the preloaded shim")]

use crate::harness::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use twat_cache::{Cache, Error, TTL_DEFAULT};

const KINDS: [&str; 5] = ["write", "sync", "rename", "open", "map"];
const HOW: [&str; 3] = ["EIO", "ENOSPC", "short"];
/// The calls of each kind that a store makes, all of which must be seen to
/// fail, and how many failures there must be: as many as there are calls while
/// a store is opened and used, up to what is asked for.
const MADE: [(&[&str], u64); 5] = [
    (&["write", "pwrite64", "writev"], 180),
    (&["fdatasync", "fsync"], 80),
    (&["rename"], 30),
    (&["open64"], 25),
    (&["mmap64"], 25),
];
/// The kind and the way that stop a process right after a rename.
pub const STOP_AFTER_RENAME: (usize, usize) = (2, 3);

pub fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/failio.c");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failio.so");
        let fresh = out.with_extension(std::process::id().to_string());
        let compiled = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args(["-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"])
            .args([&fresh, &source])
            .arg("-ldl")
            .status();
        assert!(compiled.expect("a C compiler (cc)").success(), "{}", source.display());
        std::fs::rename(&fresh, &out).expect("the shim");
        out
    })
}

type Arm = extern "C" fn(*const c_char, c_int, c_long, c_int);
type Disarm = extern "C" fn() -> c_long;
type Failed = extern "C" fn() -> *const c_char;

pub struct Shim {
    arm: Arm,
    disarm: Disarm,
    failed: Failed,
}

impl Shim {
    pub fn find() -> Self {
        // SAFETY: the names are NUL-terminated and the shim is preloaded, so
        // the symbols are functions of the types declared in failio.c.
        unsafe {
            let arm = libc::dlsym(libc::RTLD_DEFAULT, c"failio_arm".as_ptr());
            let disarm = libc::dlsym(libc::RTLD_DEFAULT, c"failio_disarm".as_ptr());
            let failed = libc::dlsym(libc::RTLD_DEFAULT, c"failio_failed".as_ptr());
            let found = [arm, disarm, failed].iter().all(|symbol| !symbol.is_null());
            assert!(found, "the shim is not preloaded");
            Self {
                arm: std::mem::transmute::<*mut libc::c_void, Arm>(arm),
                disarm: std::mem::transmute::<*mut libc::c_void, Disarm>(disarm),
                failed: std::mem::transmute::<*mut libc::c_void, Failed>(failed),
            }
        }
    }

    pub fn arm(&self, dir: &Path, kind: usize, n: u64, how: usize) {
        let dir = CString::new(dir.to_str().unwrap()).unwrap();
        (self.arm)(dir.as_ptr(), kind as c_int, n as c_long, how as c_int);
    }

    /// The name of the call that failed.
    fn failed(&self) -> Option<String> {
        let name = (self.failed)();
        // SAFETY: null, or a static and NUL-terminated name.
        let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
        name.map(|name| name.to_string_lossy().into_owned())
    }

    /// How many calls there were, and the name of the one that failed.
    fn disarm(&self) -> (u64, Option<String>) {
        let (calls, name) = ((self.disarm)(), self.failed());
        assert_eq!(calls < 0, name.is_some(), "the shim counts what it fails");
        (calls.unsigned_abs(), name)
    }
}

/// What each key may hold: one thing where the last operation succeeded,
/// either of two where it failed. 0 is nothing.
#[derive(Default)]
struct Model(BTreeMap<u64, BTreeSet<u64>>);

impl Model {
    fn note(&mut self, key: u64, version: u64, done: bool) {
        let may = self.0.entry(key).or_insert_with(|| BTreeSet::from([0]));
        if done {
            may.clear();
        }
        may.insert(version);
    }

    /// What was found once is what the key holds from then on.
    fn check(&mut self, key: u64, found: Option<&[u8]>) -> Result<(), String> {
        let name = format!("key {key}");
        let version = found.map_or(Ok(0), |bytes| version_of(&name, bytes))?;
        let may = self.0.entry(key).or_insert_with(|| BTreeSet::from([0]));
        if !may.contains(&version) {
            return Err(format!("{name}: found version {version}, expected one of {may:?}"));
        }
        *may = BTreeSet::from([version]);
        Ok(())
    }

    /// The keys that hold something, once all were looked at.
    fn names(&self) -> BTreeSet<Vec<u8>> {
        let held = self.0.iter().filter(|(_, may)| !may.contains(&0));
        held.map(|(key, _)| format!("key {key}").into_bytes()).collect()
    }
}

const KEYS: u64 = 24;
/// Stores in a row that end before the call that is to fail.
const UNREACHED: u64 = 8;

fn operate(
    cache: &Cache,
    model: &mut Model,
    random: &mut Random,
    version: u64,
) -> Result<bool, String> {
    let key = random.below(KEYS);
    let name = format!("key {key}");
    Ok(match random.below(10) {
        0 => {
            let done = cache.delete(name.as_bytes()).is_ok();
            model.note(key, 0, done);
            done
        }
        1..3 => match timely("get", || cache.get(name.as_bytes())) {
            Ok(found) => {
                model.check(key, found.as_deref())?;
                true
            }
            Err(_) => false,
        },
        _ => {
            let size = [100, 3_000, 9_000, 70_000][random.below(4) as usize];
            let bytes = value(&name, version, size);
            let done = timely("set", || cache.set(name.as_bytes(), &bytes, TTL_DEFAULT)).is_ok();
            model.note(key, version, done);
            done
        }
    })
}

/// Every key holds what the model says, and there is nothing else.
fn equals(cache: &Cache, model: &mut Model, when: &str) -> Result<(), String> {
    let failed = |what: &str, error: Error| format!("{when}: {what}: {error}");
    for key in 0..KEYS {
        let found = cache.get(format!("key {key}").as_bytes()).map_err(|e| failed("get", e))?;
        model.check(key, found.as_deref()).map_err(|why| format!("{when}: {why}"))?;
    }
    let (mut listed, mut count) = (BTreeSet::new(), 0);
    let mut scan = cache.scan(b"key ").map_err(|e| failed("scan", e))?;
    while let Some(key) = scan.next_key().map_err(|e| failed("scan", e))? {
        listed.insert(key);
        count += 1;
    }
    let held = model.names();
    if listed != held || count != held.len() {
        return Err(format!("{when}: a scan lists {listed:?}, the model has {held:?}"));
    }
    Ok(())
}

/// One store, one failing call: its name, `None` when it was never reached.
fn one(
    shim: &Shim,
    dir: &Path,
    kind: usize,
    how: usize,
    n: u64,
    seed: u64,
) -> Result<Option<String>, String> {
    let durability = if KINDS[kind] == "sync" { "system" } else { "process" };
    let options = [("inline_max_bytes", "5000"), ("durability", durability)];
    let config = config(dir, &options);
    let again = |why: &str| Cache::open(&config).map_err(|error| format!("{why}: {error}"));
    shim.arm(dir, kind, n, how);
    // An open that fails must leave what the next one can open.
    let cache = Cache::open(&config).or_else(|_| again("the second open failed too"))?;
    let opened = shim.failed().is_none();
    let (mut model, mut random) = (Model::default(), Random::new(seed));
    let mut failures = 0;
    // Only gets of large values map.
    let operations = if KINDS[kind] == "map" { 400 } else { 80 };
    for version in 1..=operations {
        failures += u64::from(!operate(&cache, &mut model, &mut random, version)?);
    }
    let (calls, failed) = shim.disarm();
    if failed.is_some() && failures > 1 {
        return Err(format!("one failing call of {calls} made {failures} operations fail"));
    }
    // What could not be written must not be acknowledged; what cannot be opened
    // or mapped may be looked at again, and the rest of a short write written.
    if failed.is_some() && opened && failures == 0 && kind <= 2 && how != 2 {
        return Err(format!("call {n} of {calls} failed, and no operation did"));
    }
    if failed.is_none() && calls >= n {
        return Err(format!("call {n} of {calls} was to fail and did not"));
    }
    // The same handle works again once the cause is gone.
    cache.set(b"again", b"yes", TTL_DEFAULT).map_err(|error| format!("set afterwards: {error}"))?;
    equals(&cache, &mut model, "afterwards")?;
    cache.close().map_err(|error| format!("close: {error}"))?;
    let cache = again("the reopen failed")?;
    equals(&cache, &mut model, "reopened")?;
    // What the call left behind is swept, and the books are right.
    let checked = cache.check(true).map_err(|error| format!("check: {error}"))?;
    if checked["bad"] != 0 || checked["books_corrected"] != false {
        return Err(format!("a check found {checked:?}"));
    }
    equals(&cache, &mut model, "checked")?;
    if cache.get(b"again").map_err(|error| error.to_string())?.as_deref() != Some(b"yes") {
        return Err("what was set afterwards is gone".into());
    }
    drop(cache);
    assert_walker_finds_it_sound(dir);
    Ok(failed)
}

pub fn run(args: &Args) {
    let shim = Shim::find();
    let number = |name: &str| args[name].parse::<u64>().unwrap();
    let (kind, how, most) = (number("kind") as usize, number("how") as usize, number("most"));
    let root = Path::new(&args["dir"]);
    let (mut reached, mut unreached) = (0, 0);
    for n in 1..=most {
        let dir = root.join(format!("{n}"));
        match one(&shim, &dir, kind, how, n, number("seed") + n) {
            Err(why) => tell(format!("wrong {n}: {why}")),
            Ok(Some(name)) => {
                (reached, unreached) = (reached + 1, 0);
                tell(format!("failed {name}"));
            }
            // Another seed makes other calls; after some there are no more.
            Ok(None) if unreached == UNREACHED => break,
            Ok(None) => unreached += 1,
        }
        std::fs::remove_dir_all(&dir).ok();
    }
    tell(format!("reached {reached}"));
}

fn every_call_fails(kind: &str) {
    let scene = Scene::in_memory(&format!("faults-{kind}"));
    let (most, seed) = (scaled(200), 401);
    let kind = KINDS.iter().position(|known| *known == kind).expect("a kind");
    let mut wrong = Vec::new();
    for (how, how_name) in HOW.iter().enumerate() {
        if how == 2 && kind != 0 {
            continue;
        }
        let dir = scene.stores().join(how_name);
        std::fs::create_dir(&dir).expect("a directory");
        let arguments = args([
            ("dir", dir.canonicalize().expect("a path").display().to_string()),
            ("kind", kind.to_string()),
            ("how", how.to_string()),
            ("most", most.to_string()),
            ("seed", seed.to_string()),
        ]);
        let mut command = command("faults", &arguments);
        let child = start(command.env("LD_PRELOAD", shim()));
        let (told, status) = child.finish(patience(Duration::from_secs(120)));
        let failed = told.iter().filter_map(|line| line.strip_prefix("failed "));
        let mut failures: BTreeMap<&str, u64> = BTreeMap::new();
        failed.for_each(|name| *failures.entry(name).or_default() += 1);
        scene.log(format!("{} {how_name}: {failures:?}, {status}", KINDS[kind]));
        assert!(status.success(), "{} {how_name}: {status}: {told:?}", KINDS[kind]);
        let (calls, least) = MADE[kind];
        let unseen: Vec<_> = calls.iter().filter(|call| !failures.contains_key(*call)).collect();
        assert!(unseen.is_empty(), "{how_name}: no {unseen:?} was seen to fail: {failures:?}");
        let reached: u64 = failures.values().sum();
        assert!(reached >= least.min(most), "{how_name}: {reached} failures, expected {least}");
        assert!(told.contains(&format!("reached {reached}")), "{how_name}: {told:?}");
        wrong.extend(told.into_iter().filter(|line| line.starts_with("wrong")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_write_that_fails_or_is_cut_short_hurts_one_call_only() {
    every_call_fails("write");
}

#[test]
fn a_sync_that_fails_hurts_one_call_only() {
    every_call_fails("sync");
}

#[test]
fn a_rename_that_fails_hurts_one_call_only() {
    every_call_fails("rename");
}

#[test]
fn an_open_that_fails_hurts_one_call_only() {
    every_call_fails("open");
}

#[test]
fn a_mapping_that_fails_hurts_one_call_only() {
    every_call_fails("map");
}

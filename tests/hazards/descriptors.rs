//! What a program that this process starts finds open.
#![expect(unsafe_code, reason = "fork")]

use crate::harness::*;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use twat_cache::{Cache, Config, SetOptions, TTL_DEFAULT};

/// Where the descriptors of a program lead that this process starts now.
fn inherited() -> Vec<String> {
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output().expect("ls");
    let text = String::from_utf8(listed.stdout).expect("text");
    text.lines().filter_map(|line| Some(line.split_once(" -> ")?.1.to_owned())).collect()
}

fn use_one(cache: &Cache, file: &Path) {
    for size in [10, 40_000] {
        cache.set(b"key", &vec![7; size], TTL_DEFAULT).expect("a set");
        cache.get(b"key").expect("a get");
    }
    cache.set_file(b"file", file, &SetOptions::default()).expect("a file");
    cache.export(&file.with_extension("export")).expect("an export");
    cache.import(&file.with_extension("export")).expect("an import");
}

/// Uses every engine that needs no server, then starts a program.
pub fn descriptors(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let file = dir.join("file");
    std::fs::write(&file, vec![1; 50_000]).expect("a file");
    let of = |engine: &str, name: &str| {
        let mut config = Config::new(engine).expect("an engine");
        config.set("path", dir.join(name).to_str().expect("text")).expect("a path");
        config
    };
    let mut tiered = Config::new("tiered").expect("an engine");
    tiered.add_tier(Config::new("memory").expect("an engine")).expect("a tier");
    tiered.add_tier(of("disk", "tiers")).expect("a tier");
    let mut configs = vec![of("disk", "disk"), of("file", "files"), tiered];
    configs.extend(["memory", "null"].map(|engine| Config::new(engine).expect("an engine")));
    let caches: Vec<_> = configs.iter().map(|c| Cache::open(c).expect("a cache")).collect();
    caches.iter().for_each(|cache| use_one(cache, &file));
    let mut reader = of("disk", "read only");
    Cache::open(&reader).expect("a store").set(b"key", b"value", TTL_DEFAULT).expect("a set");
    reader.set("read_only", "true").expect("read_only");
    let reading = Cache::open(&reader).expect("a reader");
    reading.get(b"key").expect("a get");
    tell(format!("parent {:?}", inherited()));
    // SAFETY: this process has one thread besides the harness's, which holds no lock.
    match unsafe { libc::fork() } {
        0 => {
            caches.iter().for_each(|cache| use_one(cache, &file));
            tell(format!("child {:?}", inherited()));
            // SAFETY: ends this process and nothing else.
            unsafe { libc::_exit(0) }
        }
        // SAFETY: waits for the child that was just made.
        child => drop(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }),
    }
    tell("done");
}

#[test]
fn a_started_program_inherits_no_descriptor_of_any_engine() {
    let scene = Scene::new("descriptors");
    let dir = scene.dir.display().to_string();
    let (told, status) = spawn("descriptors", &args([("dir", dir.clone())])).finish(HANG * 10);
    assert!(status.success() && told.last().is_some_and(|line| line == "done"), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
    for line in &told {
        let foreign = line.contains(&dir) || line.contains("socket:") || line.contains(".mdb");
        assert!(!foreign, "{line}");
    }
}

/// Forks as fast as it can while stores are opened, and looks in each child for
/// descriptors of theirs without close-on-exec.
pub fn forks_amid_opens(args: &Args) {
    let dir = Path::new(&args["dir"]);
    let (stop, mut seen, mut forks) = (AtomicBool::new(false), 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..scaled(400) {
                let cache = open(&dir.join((n % 4).to_string()), &[]);
                cache.set(b"key", b"value", TTL_DEFAULT).expect("a set");
            }
            stop.store(true, Ordering::SeqCst);
        });
        while !stop.load(Ordering::SeqCst) {
            forks += 1;
            // SAFETY: the child makes system calls alone.
            match unsafe { libc::fork() } {
                // SAFETY: as above; it ends without unwinding.
                0 => unsafe { libc::_exit(i32::from(inherits_data())) },
                child => {
                    let mut status = 0;
                    // SAFETY: waits for the child that was just made.
                    unsafe { libc::waitpid(child, &mut status, 0) };
                    seen += u32::from(status != 0);
                }
            }
        }
    });
    tell(format!("{seen} of {forks}"));
}

/// Whether a regular file is open that an exec would leave open. Without an
/// allocation: another thread may have held its lock at the fork.
fn inherits_data() -> bool {
    (3..64).any(|fd| {
        // SAFETY: both only look at a descriptor, which need not be one.
        let (flags, mut stat) = unsafe { (libc::fcntl(fd, libc::F_GETFD), std::mem::zeroed()) };
        // SAFETY: as above, with a place to write to.
        flags == 0
            && unsafe { libc::fstat(fd, &mut stat) } == 0
            && stat.st_mode & libc::S_IFMT == libc::S_IFREG
    })
}

#[test]
fn a_fork_amid_an_open_inherits_no_descriptor_for_a_program_to_find() {
    let scene = Scene::in_memory("forks-amid-opens");
    let dir = scene.stores().display().to_string();
    let (told, status) = spawn("forks-amid-opens", &args([("dir", dir)])).finish(HANG * 30);
    println!("{told:?}");
    assert!(status.success(), "{told:?}");
    assert!(told[0].starts_with("0 of "), "{told:?}");
}

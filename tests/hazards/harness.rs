//! Scenes, child processes, values that tell whether they are right.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use twat_cache::{Cache, Config};

/// No operation may take longer.
pub const HANG: Duration = Duration::from_secs(2);

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or(1)).filter(|n| *n > 0)
}

/// How many times the usual a soak takes: `TWAT_SOAK` of 2 and more says it, 1
/// is ten times.
fn soak() -> Option<u64> {
    setting("TWAT_SOAK").map(|n| if n == 1 { 10 } else { n })
}

/// How often to do something: a tenth in the quick subset, more in a soak.
pub fn scaled(n: u64) -> u64 {
    match (setting("TWAT_QUICK"), soak()) {
        (Some(_), _) => (n / 10).max(1),
        (None, Some(times)) => n * times,
        (None, None) => n,
    }
}

/// Whether this is a soak.
pub fn is_soak() -> bool {
    soak().is_some()
}

/// How long work of a scaled count may take, all of it.
pub fn patience(usual: Duration) -> Duration {
    usual * soak().unwrap_or(1) as u32
}

/// A directory for one test, removed when it passes and kept when it fails.
pub struct Scene {
    pub dir: PathBuf,
    begun: Instant,
    memory: Option<tempfile::TempDir>,
}

impl Scene {
    pub fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../hazards");
        std::fs::create_dir_all(&root).expect("target/hazards");
        let dir = root.canonicalize().expect("a path").join(name);
        std::fs::remove_dir_all(&dir).ok();
        std::fs::create_dir_all(&dir).expect("a directory");
        Self { dir, begun: Instant::now(), memory: None }
    }

    /// One whose stores lie in memory, where there is such a file system: for
    /// tests that open many, since each clean close syncs.
    pub fn in_memory(name: &str) -> Self {
        let mut scene = Self::new(name);
        scene.memory = tempfile::Builder::new().prefix("twat-hazard-").tempdir_in("/dev/shm").ok();
        scene
    }

    /// Where stores lie.
    pub fn stores(&self) -> &Path {
        self.memory.as_ref().map_or(&self.dir, |memory| memory.path())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A line for the log of this test, which is also shown: at once in a soak.
    pub fn log(&self, text: impl std::fmt::Display) {
        self.tell(&text);
        self.note(text);
    }

    /// A line for the log, one of many.
    pub fn note(&self, text: impl std::fmt::Display) {
        println!("{text}");
        let log = OpenOptions::new().create(true).append(true).open(self.path("log.txt"));
        writeln!(log.expect("a log"), "{text}").expect("a line");
    }
}

impl Scene {
    /// Says in a soak, ten times in all, how far a long work has come.
    pub fn progress(&self, done: u64, of: u64) {
        if done.is_multiple_of((of / 10).max(1)) {
            self.tell(&format_args!("{done} of {of}"));
        }
    }

    fn tell(&self, text: &dyn std::fmt::Display) {
        if soak().is_some() {
            let name = self.dir.file_name().unwrap_or_default().display();
            // Not by a macro, whose words the test harness keeps to itself.
            let line = format!("{:5} s  {name}: {text}\n", self.begun.elapsed().as_secs());
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.tell(&"ends");
        if std::thread::panicking() {
            println!("kept: {}", self.dir.display());
            if let Some(memory) = self.memory.take() {
                println!("kept: {}", memory.keep().display());
            }
        } else {
            std::fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// A small, seeded generator: the same run for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// Arguments of a child: names and values without line breaks.
pub type Args = BTreeMap<String, String>;

pub fn args<const N: usize>(pairs: [(&str, String); N]) -> Args {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub const ROLE: &str = "TWAT_HAZARD_ROLE";
const ARGS: &str = "TWAT_HAZARD_ARGS";

/// The command that runs a role of `hazards.rs` in a process of its own.
pub fn command(role: &str, args: &Args) -> Command {
    let text: Vec<_> = args.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["child_process", "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(ARGS, text.join("\n"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// A child's own arguments.
pub fn own_args() -> Args {
    let text = std::env::var(ARGS).expect("arguments");
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Tells the parent a line.
pub fn tell(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n@{line}").and_then(|()| out.flush()).expect("a listening parent");
}

/// A running child; killed when dropped.
pub struct Running {
    pub child: Child,
    lines: BufReader<ChildStdout>,
}

pub fn spawn(role: &str, args: &Args) -> Running {
    start(&mut command(role, args))
}

pub fn start(command: &mut Command) -> Running {
    let mut child = command.spawn().expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("a pipe"));
    Running { child, lines }
}

impl Running {
    /// The next line the child tells; None at its end.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(told) = line.strip_prefix('@') {
                return Some(told.trim_end().to_owned());
            }
        }
    }

    /// Waits for a line that begins with this.
    pub fn expect(&mut self, start: &str) -> String {
        let mut told = Vec::new();
        while let Some(line) = self.line() {
            if line.starts_with(start) {
                return line;
            }
            told.push(line);
        }
        panic!("the child ended without saying {start:?}; it said {told:?}");
    }

    /// Every line that is left, and how the child ended. Panics when it does
    /// not end in time.
    pub fn finish(self, within: Duration) -> (Vec<String>, ExitStatus) {
        match self.end(within) {
            (told, Some(status)) => (told, status),
            (told, None) => panic!("the child did not end within {within:?}; it said {told:?}"),
        }
    }

    /// The same; a child that does not end in time is killed and has no status.
    pub fn end(mut self, within: Duration) -> (Vec<String>, Option<ExitStatus>) {
        // The lines are drained by a thread: a full pipe would stop the child.
        std::thread::scope(|scope| {
            let Self { child, lines } = &mut self;
            let reader = scope.spawn(move || {
                let all = lines.lines().map_while(Result::ok);
                all.filter_map(|line| line.strip_prefix('@').map(str::to_owned)).collect::<Vec<_>>()
            });
            let deadline = Instant::now() + within;
            let status = loop {
                if let Some(status) = child.try_wait().expect("a child") {
                    break Some(status);
                }
                if Instant::now() > deadline {
                    child.kill().ok();
                    child.wait().ok();
                    break None;
                }
                std::thread::sleep(Duration::from_millis(2));
            };
            (reader.join().expect("lines"), status)
        })
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
    }

    /// Waits until SIGSTOP has reached it, which takes a time slice.
    pub fn wait_until_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.child.id());
        let stopped = || {
            let text = std::fs::read_to_string(&stat).expect("a process");
            let state = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
            assert!(!state.starts_with('Z'), "the process ended instead of stopping");
            state.starts_with('T')
        };
        timely("stopping", || {
            while !stopped() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("a signal");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Options of a disk store for tests: a small map, since many are opened.
pub fn config(dir: &Path, options: &[(&str, &str)]) -> Config {
    let mut config = Config::new("disk").expect("the disk engine");
    config.set("path", dir.to_str().expect("a path of text")).expect("path");
    if !options.iter().any(|(name, _)| *name == "map_size") {
        config.set("map_size", "1073741824").expect("map_size");
        config.set("max_bytes", "268435456").expect("max_bytes");
    }
    for (name, value) in options {
        config.set(name, value).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    config
}

pub fn open(dir: &Path, options: &[(&str, &str)]) -> Cache {
    Cache::open(&config(dir, options)).unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
}

/// How many want each processor, one at the least: what shares a machine with
/// this waits longer by that.
fn crowd() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(1.0);
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    (load / processors as f64).max(1.0)
}

/// Runs an operation that must not hang.
pub fn timely<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = run();
    let took = started.elapsed();
    assert!(took < HANG || took < HANG.mul_f64(crowd()), "{what} took {took:?}");
    result
}

const HEAD: usize = 24;

/// A value that says whose it is and that nothing of it is missing.
pub fn value(key: &str, version: u64, size: usize) -> Vec<u8> {
    let size = size.max(HEAD);
    let mut bytes = Vec::with_capacity(size + 8);
    let sum = xxhash_rust::xxh3::xxh3_64(key.as_bytes());
    for number in [sum, version, size as u64] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let word = (sum ^ version.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes();
    bytes.extend_from_slice(&word.repeat((size - HEAD).div_ceil(8)));
    bytes.truncate(size);
    bytes
}

/// The version of a value, if it is one of this key and whole.
pub fn version_of(key: &str, bytes: &[u8]) -> Result<u64, String> {
    let number =
        |at: usize| bytes.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
    let version = number(8);
    if bytes == value(key, version, number(16) as usize) && bytes.len() as u64 == number(16) {
        return Ok(version);
    }
    Err(format!(
        "{key}: {} bytes that were never set: {:?}",
        bytes.len(),
        &bytes[..bytes.len().min(32)]
    ))
}

/// What our walker says of a store that nobody writes to.
pub fn assert_walker_finds_it_sound(dir: &Path) {
    use twat_cache::integrity::walk::{Verdict, walk};
    let file = File::open(dir.join("data.mdb")).expect("data.mdb");
    match walk(&file).expect("a readable file") {
        Verdict::Sound(_) | Verdict::Short { .. } => {}
        other => panic!("{}: {other:?}", dir.display()),
    }
}

/// What py-lmdb says of it, an implementation by others.
pub fn assert_py_lmdb_finds_it_sound(dir: &Path) {
    static PREPARED: std::sync::Once = std::sync::Once::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    PREPARED.call_once(|| {
        // Cargo's target directory need not lie in the tree.
        let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join(".venv.lock");
        let script = "exec 9>\"$0\"; flock 9; source tools/venv.sh
            \"$PYTHON\" -c 'import lmdb.verify' 2>/dev/null || pip_install lmdb==3.0.0";
        let script = ["-euc".as_ref(), script.as_ref(), lock.as_os_str()];
        let made = Command::new("bash").args(script).current_dir(root).status();
        assert!(made.expect("bash").success(), "py-lmdb 3.0.0 could not be installed into .venv");
    });
    let python = root.join(".venv/bin/python");
    let checked = Command::new(python).args(["-m", "lmdb", "verify", "-e"]).arg(dir).output();
    let checked = checked.expect("python");
    let said = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.contains("verify: OK"), "py-lmdb: {said}");
}

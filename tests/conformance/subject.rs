//! An engine under test: how it is opened empty, how time passes for it, and
//! where its documented promise is weaker.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};
use twat_cache::{Cache, Config, base::clock};

/// Opens an empty cache with these options besides an engine's own.
type Open = dyn Fn(&[(&str, &str)]) -> Opened + Send + Sync;

/// How an engine is opened and what it may do otherwise.
pub struct Subject {
    pub open: Box<Open>,
    /// Lets so many milliseconds pass.
    pub wait: fn(u64),
    /// Suspends the machine for so many milliseconds; then a second passes.
    pub suspend: fn(u64),
    /// Ends are kept in boot time, which nobody sets.
    pub boot_time: bool,
    /// `max_entries` and `max_bytes` are its options.
    pub bounded: bool,
    /// A full cache evicts (policy `none` refuses instead).
    pub evicts: bool,
    /// A bound holds and a fresh entry is there as soon as the call returns
    /// (tinylfu may refuse a fresh entry, and settles its bounds later).
    pub evicts_at_once: bool,
    /// Entries whose time is over are its to remove and to count (a server
    /// removes them by itself).
    pub sweeps: bool,
    /// It has leases.
    pub leases: bool,
    /// `entries` of the figures is exact when nothing is expired or invalidated.
    pub exact_entries: bool,
}

/// An open cache with what must live as long.
pub struct Opened {
    cache: Cache,
    /// A directory, a server.
    keep: Option<Box<dyn std::any::Any + Send + Sync>>,
}

impl Opened {
    pub fn new(cache: Cache, keep: Option<Box<dyn std::any::Any + Send + Sync>>) -> Self {
        Self { cache, keep }
    }

    pub fn close(self) {
        self.cache.close().expect("close");
        drop(self.keep);
    }
}

impl Deref for Opened {
    type Target = Cache;
    fn deref(&self) -> &Cache {
        &self.cache
    }
}

impl Subject {
    pub fn open(&self) -> Opened {
        (self.open)(&[])
    }

    pub fn open_with(&self, options: &[(&str, &str)]) -> Opened {
        (self.open)(options)
    }

    /// Time that no other promise of this process moves meanwhile.
    pub fn time(&self) -> Time {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        Time { wait: self.wait, suspend: self.suspend, _held: held }
    }
}

pub struct Time {
    wait: fn(u64),
    suspend: fn(u64),
    _held: MutexGuard<'static, ()>,
}

impl Time {
    pub fn pass(&self, ms: u64) {
        (self.wait)(ms);
    }

    /// The machine is suspended for so long, and then runs for a second.
    pub fn suspend(&self, ms: u64) {
        (self.suspend)(ms);
    }

    /// Somebody sets the wall clock.
    pub fn set_wall_clock(&self, by_ms: i64) {
        clock::shift_wall_ms(by_ms);
    }
}

/// For engines that read this process's clocks: awake, all of them move.
pub fn shift_clocks(ms: u64) {
    clock::shift_monotonic_ms(ms as i64);
    clock::shift_wall_ms(ms as i64);
}

/// For engines that read this process's clocks: the monotonic one stands still meanwhile.
pub fn suspend_clocks(ms: u64) {
    clock::shift_asleep_ms(ms as i64);
    clock::shift_wall_ms(ms as i64);
    shift_clocks(1000);
}

/// A configuration with options.
pub fn config(engine: &str, options: &[(&str, &str)]) -> Config {
    let mut config = Config::new(engine).expect("a known engine");
    for (name, value) in options {
        config.set(name, value).expect("a known option");
    }
    config
}

/// The memory engine with a policy, and a bound that no promise but those on
/// bounds reaches: unbounded caches keep no order.
pub fn memory(policy: &'static str) -> Subject {
    memory_with(policy, &[("max_entries", "100000")])
}

/// The memory engine with other options of its own.
pub fn memory_with(policy: &'static str, own: &'static [(&'static str, &'static str)]) -> Subject {
    Subject {
        open: Box::new(move |options| {
            let mut config = config("memory", options);
            if config.bounds() == Default::default() {
                own.iter().for_each(|(name, value)| config.set(name, value).expect("an option"));
            }
            if config.given("policy").is_none() {
                config.set("policy", policy).expect("a known policy");
            }
            Opened::new(Cache::open(&config).expect("open"), None)
        }),
        wait: shift_clocks,
        suspend: suspend_clocks,
        boot_time: true,
        bounded: true,
        evicts: policy != "none",
        evicts_at_once: true,
        sweeps: true,
        leases: true,
        exact_entries: true,
    }
}

/// The engine that keeps nothing.
pub fn null() -> Subject {
    Subject {
        open: Box::new(|options| {
            Opened::new(Cache::open(&config("null", options)).expect("open"), None)
        }),
        bounded: false,
        ..memory("none")
    }
}

/// A store in a directory of its own, with other options of its own.
pub fn disk(engine: &'static str, own: &'static [(&'static str, &'static str)]) -> Subject {
    Subject {
        open: Box::new(move |options| {
            let dir = tempfile::tempdir().expect("a directory");
            let mut config = config(engine, options);
            for (name, value) in [("map_size", "1073741824"), ("max_bytes", "134217728")] {
                if config.given(name).is_none() {
                    config.set(name, value).expect("an option");
                }
            }
            for (name, value) in own {
                if config.given(name).is_none() {
                    config.set(name, value).expect("an option");
                }
            }
            config.set("path", dir.path().to_str().expect("a path in UTF-8")).expect("a path");
            Opened::new(Cache::open(&config).expect("open"), Some(Box::new(dir)))
        }),
        boot_time: false,
        ..memory("lru")
    }
}

//! Opening a store: what is looked at before LMDB sees the file.

use super::Disk;
use super::record::{self, RECORD, Record, other_format};
use super::settings::Live;
use super::shared::{Databases, Policy, Shared};
use super::totals::{Reading, Totals};
use crate::base::error::{Code, Error, Result};
use crate::config::{Config, EngineKind};
use crate::files::DATA;
use crate::files::blobs::Blobs;
use crate::files::dirs::set_dir_mode;
use crate::integrity::boot::{self, Check, Decision, Guard, Opening};
use crate::lmdb::env_registry::{self, Attached, Setting, Settings, StoreRef};
use crate::lmdb::txn::{Env, EnvOptions, MAIN};
use serde_json::{Map, Value as Json};
use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The databases that have a name. The entries lie in the unnamed one: LMDB
/// looks a name up anew in each transaction, which is a tenth of a get.
pub const NAMES: [&str; 4] = ["order", "expiry", "tags", "blobs"];
/// Address space asked for unless `map_size` says otherwise.
const MAP_SIZE: u64 = 64 << 30;

/// Opens the engine of a validated configuration.
pub(super) fn open(config: &Config) -> Result<Disk> {
    Policy::of(config)?;
    let given = Path::new(config.text("path"));
    if config.given("max_bytes").is_none() && !given.join(DATA).exists() {
        config.check_map(config.bounds().bytes.unwrap_or(0), ", the default")?;
    }
    let place = Place::prepare(config).map_err(|error| explain(given, error))?;
    let options = env_options(config, &place);
    let settings = settings(config, &options);
    let (dir_mode, file_mode) = modes(config, &place);
    let blobs = Blobs::new(&place.dir, file_mode, dir_mode, options.sync);
    let notes = RefCell::new(Map::new());
    let attempt = |check| {
        env_registry::open(
            &place.dir,
            &options,
            &settings,
            || place.enter(config, check, &notes),
            |env| {
                place.set_modes(config);
                attach(env, config, blobs.clone(), notes.take())
            },
        )
    };
    let check = Check::from_option(config.text("check"));
    let env = match attempt(check) {
        // Damage within one boot, where nobody judged: judged now.
        Err(error) if error.code() == Code::Corrupt && check == Check::Auto => attempt(Check::Open),
        opened => opened,
    };
    let env = env.map_err(|error| explain(&place.dir, error))?;
    let shared = shared_of(&env)?;
    let mut disk = Disk {
        name: config.engine(),
        env,
        shared,
        namespace: config.text("namespace").as_bytes().to_vec(),
        verify_always: config.text("verify") == "always",
        replaced: Map::new(),
    };
    disk.replaced = disk.settle_settings(config)?;
    Ok(disk)
}

fn inline_max(config: &Config) -> u64 {
    config.u64_or("inline_max_bytes", if config.kind() == EngineKind::File { 0 } else { 32 << 10 })
}

fn seed(config: &Config) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    config.u64_or("seed", RandomState::new().hash_one(std::process::id()))
}

/// Permissions of new directories and files. Those that are not named are the
/// ones of the store, so that all who share it go on sharing.
fn modes(config: &Config, place: &Place) -> (u32, u32) {
    let of = |path: &Path| fs::metadata(path).map_or(0, |found| found.permissions().mode());
    let shared = |name: &str| !place.fresh && config.given(name).is_none();
    let file = match shared("file_mode") {
        true => of(&place.dir.join(DATA)) & 0o666 | 0o600,
        false => config.mode("file_mode"),
    };
    let dir = match shared("dir_mode") {
        // For nobody who may not read the files.
        true => of(&place.dir) & 0o777 & spread(file) | 0o700,
        false => config.mode("dir_mode"),
    };
    (dir, file)
}

/// All bits of those who have any.
fn spread(mode: u32) -> u32 {
    [0o700, 0o070, 0o007].into_iter().filter(|who| mode & who != 0).sum()
}

/// The map that a bound needs: twice as much, since pages are not all full.
fn map_for(max_bytes: u64) -> u64 {
    max_bytes.saturating_mul(2).max(1 << 20)
}

fn env_options(config: &Config, place: &Place) -> EnvOptions {
    let bound = config.bounds().bytes.unwrap_or(0);
    let floor = match fs::metadata(place.dir.join(DATA)) {
        // Its own bound is known once it is open, and may ask for more then.
        Ok(found) if config.given("max_bytes").is_none() => map_for(found.len()),
        _ => map_for(bound),
    };
    let asked = config.u64_or("map_size", MAP_SIZE.max(floor));
    // LMDB's answer to a full map is an error; the system's to a file beyond this
    // limit is SIGXFSZ.
    let map_limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    let map_limit = map_limit.map(|limit| limit.max(1 << 16));
    let map_size = asked.min(map_limit.unwrap_or(u64::MAX));
    EnvOptions {
        map_limit,
        map_size,
        map_floor: floor.min(map_size),
        sync: config.text("durability") == "system",
        read_only: place.read_only,
        file_mode: modes(config, place).1,
    }
}

/// What all handles of a store in a process must agree on, besides what is
/// recorded in the store itself.
fn settings(config: &Config, options: &EnvOptions) -> Settings {
    let given = |name: &str| config.given(name).is_some();
    let setting = |name, value, given| Setting { name, value, given };
    let read_only = given("read_only") && config.text("read_only") != "auto";
    vec![
        setting("durability", config.text("durability").to_owned(), given("durability")),
        setting("inline_max_bytes", inline_max(config).to_string(), given("inline_max_bytes")),
        setting("map_size", options.map_size.to_string(), given("map_size")),
        setting("read_only", options.read_only.to_string(), read_only),
    ]
}

fn attach(env: &Env, config: &Config, blobs: Blobs, notes: Map<String, Json>) -> Result<Attached> {
    let Some([order, expiry, tags, blob_rows]) = env.databases(NAMES)? else {
        return Err(Error::new(
            Code::Io,
            format!("{}: the store is empty and cannot be written", env.dir().display()),
        ));
    };
    let totals = {
        let txn = env.read()?;
        txn.get(MAIN, Totals::KEY)?.map(Totals::read)
    };
    match totals {
        Some(Reading::Other(format)) => return Err(other_format(env.dir(), format)),
        // The bound of another opener needs its room.
        Some(Reading::Ours(totals)) if config.given("max_bytes").is_none() => {
            config.check_map(totals.max_bytes, ", as recorded in the store")?;
            let limit = env.options().map_limit.unwrap_or(u64::MAX);
            env.enlarge(map_for(totals.max_bytes).min(limit))?;
        }
        _ => {}
    }
    let db = Databases { entries: MAIN, order, expiry, tags, blobs: blob_rows };
    let (live, inline) = (Live::new(config), inline_max(config));
    let words = (!env.options().read_only).then(|| env.dir().join(boot::MARK));
    let shared = Shared::new(db, blobs, live, inline, seed(config), notes, words);
    // Without them the store works, and there are no leases.
    let _ = shared.leases();
    Ok(Arc::new(shared))
}

fn shared_of(env: &StoreRef) -> Result<Arc<Shared>> {
    Arc::clone(env.attached())
        .downcast()
        .map_err(|_| Error::new(Code::Panic, "the registry holds something else"))
}

/// A directory that was looked at.
struct Place {
    dir: PathBuf,
    read_only: bool,
    /// The store is new: its files get exactly the permissions asked for.
    fresh: bool,
}

impl Place {
    /// Checks the directory; makes it and its record where that is asked for.
    fn prepare(config: &Config) -> Result<Self> {
        let given = Path::new(config.text("path"));
        let path = std::path::absolute(given).map_err(|e| wrong("path", given, &e))?;
        let may_create = config.bool("create") && config.text("read_only") != "true";
        match fs::metadata(&path) {
            Ok(found) if !found.is_dir() => {
                let text = format!("path: expected a directory, found a file: {}", path.display());
                return Err(Error::new(Code::Io, text));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound && !may_create => {
                return Err(missing(config, &path));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(wrong("path", &path, &error)),
        }
        refuse_network(&path)?;
        let data = path.join("data.mdb");
        let fresh = !data.try_exists().map_err(|e| wrong("path", &data, &e))?;
        if fresh && !may_create {
            return Err(missing(config, &path));
        }
        if fresh {
            record::verify_new(&path)?;
            make_dir(&path, config.mode("dir_mode"))?;
        }
        let dir = fs::canonicalize(&path).map_err(|e| wrong("path", &path, &e))?;
        let read_only = read_only(config, &dir)?;
        let mode = config.mode("file_mode");
        if fresh {
            record::write(&dir, mode)?;
        } else if record::verify(&dir)? == Record::Lost && !read_only {
            record::rewrite(&dir, mode);
        }
        Ok(Self { dir, read_only, fresh })
    }

    /// Has the store judged where this process is the only one to use it.
    fn enter(
        &self,
        config: &Config,
        check: Check,
        notes: &RefCell<Map<String, Json>>,
    ) -> Result<Guard> {
        let mode = config.mode("file_mode");
        let (guard, decision) = boot::enter(&Opening {
            dir: &self.dir,
            check,
            read_only: self.read_only,
            mode,
            names: &NAMES,
            kept: &[RECORD, "blobs"],
        })?;
        let mut notes = notes.borrow_mut();
        match decision {
            Decision::Open(None) => {}
            Decision::Open(Some(_)) => {
                notes.insert("checked_at_open".into(), true.into());
            }
            Decision::Extended { from, to } => {
                notes.insert("extended".into(), format!("from {from} to {to} bytes").into());
            }
            Decision::SetAside { to, why } => {
                notes.insert("set_aside".into(), to.to_string_lossy().into());
                notes.insert("set_aside_because".into(), why.into());
                record::write(&self.dir, mode)?;
            }
        }
        Ok(guard)
    }

    fn set_modes(&self, config: &Config) {
        if !self.fresh {
            return;
        }
        // LMDB's open is subject to the umask; sharing between users is asked
        // for by mode and must not be. A failure leaves tighter permissions.
        let mode = fs::Permissions::from_mode(config.mode("file_mode"));
        for name in ["data.mdb", "lock.mdb", boot::MARK, RECORD] {
            let _ = fs::set_permissions(self.dir.join(name), mode.clone());
        }
    }
}

/// Adds what the system's words leave out: whose store it is.
fn explain(dir: &Path, error: Error) -> Error {
    let text = error.text();
    let denied = text.contains("Permission denied") || text.contains("Operation not permitted");
    let owner = [dir.join("data.mdb"), dir.to_owned()]
        .iter()
        .find_map(|path| fs::metadata(path).map(|found| found.uid()).ok());
    let me = rustix::process::geteuid().as_raw();
    match owner {
        Some(owner) if denied && owner != me => Error::new(
            error.code(),
            format!(
                "{text}; the store belongs to user {owner} and this process is user {me}: \
                 use a directory of your own, or share it by dir_mode and file_mode (2770 and 0660 for a group)",
            ),
        ),
        _ => error,
    }
}

fn wrong(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::io(format_args!("{what}: {}", path.display()), error)
}

fn missing(config: &Config, path: &Path) -> Error {
    let why =
        if config.text("read_only") == "true" { "read_only is true" } else { "create is false" };
    Error::new(Code::Io, format!("path: no store in {}, and {why}", path.display()))
}

fn make_dir(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode & 0o777)
        .create(path)
        .map_err(|error| wrong("path: making", path, &error))?;
    set_dir_mode(path, mode);
    Ok(())
}

fn read_only(config: &Config, dir: &Path) -> Result<bool> {
    match config.text("read_only") {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => {
            use rustix::fs::{Access, AtFlags, CWD, accessat};
            let data = dir.join("data.mdb");
            Ok(accessat(CWD, &data, Access::WRITE_OK, AtFlags::EACCESS)
                .is_err_and(|error| error == rustix::io::Errno::ROFS))
        }
    }
}

/// Locks and mappings of LMDB do not hold over a network.
fn refuse_network(path: &Path) -> Result<()> {
    let Some(there) = path.ancestors().find(|path| path.exists()) else { return Ok(()) };
    let Ok(found) = rustix::fs::statfs(there) else { return Ok(()) };
    match network(&found) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Code::Unsupported,
            format!(
                "path: {} lies on a network or shared-folder file system ({name}), where LMDB's \
                 locks do not hold; choose a local directory (path, or TWAT_CACHE_DIR)",
                path.display()
            ),
        )),
    }
}

/// What kind of network a file system is on, by the kernel's number for it.
#[cfg(target_os = "linux")]
fn network(found: &rustix::fs::StatFs) -> Option<&'static str> {
    const REFUSED: [(u32, &str); 8] = [
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x0102_1997, "9p"),
        (0x6573_5546, "fuse"),
        (0x00c3_6400, "ceph"),
        (0x786f_4256, "vboxsf"),
    ];
    let kind = found.f_type as u32;
    REFUSED.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

/// The same where the system itself marks what is local.
#[cfg(target_vendor = "apple")]
fn network(found: &rustix::fs::StatFs) -> Option<&'static str> {
    (found.f_flags & libc::MNT_LOCAL as u32 == 0).then_some("not local")
}

/// Unknown: nothing is refused.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn network(_: &rustix::fs::StatFs) -> Option<&'static str> {
    None
}

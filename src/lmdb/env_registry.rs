//! One LMDB environment per file per process.
//!
//! LMDB breaks when a process opens a file twice: the second close takes the
//! first one's locks and reader slots. So environments are known by device and
//! inode of `data.mdb` (aliases and symlinks are one file) and counted.

use super::txn::{Env, EnvOptions};
use crate::base::error::{Code, Error, Result};
use crate::base::fork::{self, ForkLocal};
use crate::integrity::boot::Guard;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::mem::ManuallyDrop;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};

/// What the environments of a process share besides LMDB: whatever the engine
/// keeps about a store in memory.
pub type Attached = Arc<dyn Any + Send + Sync>;

/// An option that all handles of a store in a process must agree on.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option's name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Whether the opener named it. One that did not takes what is open.
    pub given: bool,
}

/// All of them, always in the same order.
pub type Settings = Vec<Setting>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileId {
    device: u64,
    inode: u64,
}

struct Slot {
    env: Arc<Env>,
    attached: Attached,
    settings: Settings,
    handles: usize,
}

/// The stores that this process has open. Not in hash maps, whose pointers into
/// the middle of a block valgrind takes for leaks.
#[derive(Default)]
struct Registry {
    slots: BTreeMap<FileId, Slot>,
    /// Directories of stores that are being judged.
    judged: BTreeSet<FileId>,
}

/// The registry, and what is told when a store has been judged.
type Shared = (Mutex<Registry>, Condvar);

static REGISTRY: ForkLocal<Shared> = ForkLocal::new(Shared::default);

fn locked() -> MutexGuard<'static, Registry> {
    REGISTRY.get().0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right to judge a store and to open it, which one thread of a process has.
/// The registry itself stays free meanwhile: to judge takes as long as to read
/// the file, and others open other stores.
struct Judging(FileId);

impl Drop for Judging {
    fn drop(&mut self) {
        locked().judged.remove(&self.0);
        REGISTRY.get().1.notify_all();
    }
}

/// A counted handle to an open environment.
pub struct StoreRef {
    env: ManuallyDrop<Arc<Env>>,
    attached: Attached,
    id: FileId,
    generation: u64,
}

impl std::ops::Deref for StoreRef {
    type Target = Env;

    fn deref(&self) -> &Env {
        &self.env
    }
}

impl StoreRef {
    /// What the engine attached.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }
}

/// Opens the store in a directory, or shares the one this process has open.
///
/// `first` runs before LMDB sees the file and only if this process has not
/// opened it yet; `attach` makes what all handles share once it is open. Both
/// are one thread's at a time.
pub fn open(
    dir: &Path,
    options: &EnvOptions,
    settings: &Settings,
    first: impl FnOnce() -> Result<Guard>,
    attach: impl FnOnce(&Env) -> Result<Attached>,
) -> Result<StoreRef> {
    let data = dir.join("data.mdb");
    let judging = match share_or_judge(dir, &data, settings)? {
        Turn::Share(handle) => return Ok(handle),
        Turn::Judge(judging) => judging,
    };
    if let Some(id) = file_id(&data) {
        not_mapped_by_others(dir, id)?;
    }
    let guard = first()?;
    mark_at_exit();
    // Declared after `judging`, and so given back before it.
    let mut registry = locked();
    if let Some(handle) = share(&mut registry, dir, &data, settings)? {
        return Ok(handle);
    }
    // Counted before it is mapped: a fork in between must not let the child
    // take the mapping it inherits for a stranger's.
    let before = file_id(&data).map(|id| (id, known(id)));
    if let Some((_, count)) = &before {
        count.fetch_add(1, Ordering::SeqCst);
    }
    let opened = Env::open(dir, options.clone(), guard).and_then(|env| {
        let attached = attach(&env)?;
        Ok((env, attached))
    });
    let (env, attached) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            if let Some((_, count)) = &before {
                count.fetch_sub(1, Ordering::SeqCst);
            }
            return Err(error);
        }
    };
    let Some(id) = file_id(&data) else {
        return Err(Error::new(Code::Io, format!("{}: gone while it was opened", data.display())));
    };
    if before.is_none() {
        known(id).fetch_add(1, Ordering::SeqCst);
    }
    let slot = Slot { env: Arc::new(env), attached, settings: settings.clone(), handles: 1 };
    let opened = handle(&slot, id);
    registry.slots.insert(id, slot);
    drop(registry);
    drop(judging);
    Ok(opened)
}

enum Turn {
    Share(StoreRef),
    Judge(Judging),
}

/// Shares the store if it is open, or else waits for the turn to judge it.
fn share_or_judge(dir: &Path, data: &Path, settings: &Settings) -> Result<Turn> {
    let gone = || Error::new(Code::Io, format!("{}: gone while it was opened", dir.display()));
    let directory = file_id(dir).ok_or_else(gone)?;
    let mut registry = locked();
    loop {
        if let Some(handle) = share(&mut registry, dir, data, settings)? {
            return Ok(Turn::Share(handle));
        }
        if registry.judged.insert(directory) {
            return Ok(Turn::Judge(Judging(directory)));
        }
        let judged = &REGISTRY.get().1;
        registry = judged.wait(registry).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Programs end without closing their stores. Those would be taken for stores of
/// a process that was killed, and verified at the next open.
#[expect(unsafe_code, reason = "the one call that registers a handler")]
fn mark_at_exit() {
    extern "C" fn mark_all() {
        // Threads may still run: whoever has the registry now is not waited for,
        // and what they write after this is found by the file's stamp.
        let marked = || {
            if let Ok(registry) = REGISTRY.get().0.try_lock() {
                registry.slots.values().for_each(|slot| slot.env.leave_at_exit());
            }
        };
        let _ = std::panic::catch_unwind(marked);
    }
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: a plain function that does not unwind; a library that is
        // unloaded takes its handlers with it.
        unsafe { libc::atexit(mark_all) };
    });
}

/// A further handle of a store that this process has open.
fn share(
    registry: &mut Registry,
    dir: &Path,
    data: &Path,
    settings: &Settings,
) -> Result<Option<StoreRef>> {
    let Some(id) = file_id(data) else { return Ok(None) };
    let Some(slot) = registry.slots.get_mut(&id) else { return Ok(None) };
    agree(dir, &slot.settings, settings)?;
    slot.handles += 1;
    Ok(Some(handle(slot, id)))
}

fn handle(slot: &Slot, id: FileId) -> StoreRef {
    StoreRef {
        env: ManuallyDrop::new(Arc::clone(&slot.env)),
        attached: Arc::clone(&slot.attached),
        id,
        generation: fork::generation(),
    }
}

impl Drop for StoreRef {
    #[expect(unsafe_code, reason = "the handle's count must fall while the registry is locked")]
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            // Inherited from the parent: closing it would free the parent's
            // reader slots. It is leaked, with its map and descriptors.
            return;
        }
        let mut registry = locked();
        let slots = &mut registry.slots;
        // SAFETY: dropped once, here, and not used again.
        unsafe { ManuallyDrop::drop(&mut self.env) };
        if let Some(slot) = slots.get_mut(&self.id) {
            slot.handles -= 1;
            if slot.handles == 0 {
                // The environment closes under the lock: nobody can open the
                // file again before its locks are gone.
                let mappings = slot.env.mappings() as i64;
                slots.remove(&self.id);
                known(self.id).fetch_sub(mappings, Ordering::SeqCst);
            }
        }
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    let found = std::fs::metadata(path).ok()?;
    Some(FileId { device: found.dev(), inode: found.ino() })
}

fn agree(dir: &Path, ours: &Settings, theirs: &Settings) -> Result<()> {
    let mut text = String::new();
    for (open, asked) in ours.iter().zip(theirs) {
        if asked.given && open.value != asked.value {
            let _ = write!(
                text,
                "; {}: open with {}, asked for {}",
                asked.name, open.value, asked.value
            );
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "the store in {} is open in this process with other options{text}",
        dir.display()
    )))
}

/// How often this copy of the library has a file mapped, what its parents had
/// mapped when they forked included. A list that only grows and has no lock,
/// since a child must be able to read it.
struct Known {
    id: FileId,
    count: AtomicI64,
    next: *const Known,
}

static KNOWN: AtomicPtr<Known> = AtomicPtr::new(std::ptr::null_mut());

#[expect(unsafe_code, reason = "a list of leaked boxes behind an atomic pointer")]
fn known(id: FileId) -> &'static AtomicI64 {
    let mut head = KNOWN.load(Ordering::Acquire);
    loop {
        let mut at = head.cast_const();
        // SAFETY: nodes are leaked boxes that nothing changes but `count`.
        while let Some(node) = unsafe { at.as_ref() } {
            if node.id == id {
                return &node.count;
            }
            at = node.next;
        }
        let fresh = Box::into_raw(Box::new(Known { id, count: AtomicI64::new(0), next: head }));
        match KNOWN.compare_exchange(head, fresh, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: just leaked and published.
            Ok(_) => return unsafe { &(*fresh).count },
            Err(other) => {
                // SAFETY: never published, so it is ours alone.
                drop(unsafe { Box::from_raw(fresh) });
                head = other;
            }
        }
    }
}

/// An environment mapped its file once more.
pub fn mapped_again(dir: &Path) {
    if let Some(id) = file_id(&dir.join("data.mdb")) {
        known(id).fetch_add(1, Ordering::SeqCst);
    }
}

/// Refuses a file that another copy of LMDB in this process has mapped.
fn not_mapped_by_others(dir: &Path, id: FileId) -> Result<()> {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return Ok(()) };
    let inode = id.inode.to_string();
    let mapped = maps.lines().filter(|line| {
        // start-end perms offset device inode path
        let mut fields = line.split_ascii_whitespace();
        let found = fields.nth(4) == Some(&inode);
        let path = line.find('/').map(|at| line[at..].trim_end_matches(" (deleted)"));
        found && path.and_then(|path| file_id(Path::new(path))) == Some(id)
    });
    let mapped = mapped.count() as i64;
    if mapped <= known(id).load(Ordering::SeqCst) {
        return Ok(());
    }
    Err(Error::new(
        Code::Busy,
        format!(
            "the store in {} is already open in this process through another copy of LMDB \
             (a second build of this library, or py-lmdb); use one of them",
            dir.display()
        ),
    ))
}

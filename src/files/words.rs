//! What the processes of a store tell each other without a transaction: words in memory that
//! they share, and locks on single bytes. Both are in a file that every process has open.
//!
//! The locks belong to the open file (`F_OFD_SETLK`): the kernel frees them when their process
//! ends, however it ends, and needs no clock and no process number for that.

use super::Seen;
use crate::base::error::{Code, Error, Result};
use crate::base::fork;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where the words begin: after the text of the file.
const OFFSET: u64 = 4096;
/// Where the bytes to lock begin: beyond what the file holds.
const BYTES: u64 = 1 << 32;
const WAKE: usize = 4096;
const KEYS: usize = 16_384;
const NAMESPACES: usize = 1024;

/// The words. Zeros at first; each is only ever raised.
#[repr(C)]
struct Words {
    /// Raised when a lease ends: what waiters sleep on.
    wake: [AtomicU32; WAKE],
    /// Raised when a key is written or deleted.
    keys: [AtomicU32; KEYS],
    /// Raised when many keys of a namespace are deleted or invalidated.
    namespaces: [AtomicU32; NAMESPACES],
}

/// The words and byte locks of an open store.
pub struct Page {
    map: memmap2::MmapRaw,
    /// An open file of its own: a forked child closes it, or it would keep the locks of a
    /// parent that died.
    file: Option<File>,
    generation: u64,
}

impl Page {
    /// Maps the words in a file, which is made longer where it has none.
    ///
    /// # Errors
    /// `Full` without room for them, `Io` for a file that cannot be written or mapped,
    /// `Unsupported` where the system has no such locks.
    pub fn open(path: &Path) -> Result<Self> {
        if !cfg!(target_os = "linux") {
            let text = "leases between processes: expected Linux, got another system";
            return Err(Error::new(Code::Unsupported, text));
        }
        let doing = |error| Error::io(format_args!("mapping {}", path.display()), &error);
        let open = || File::options().read(true).write(true).open(path);
        let len = size_of::<Words>();
        // Two open files: a mapping keeps its file open, in a forked child too, and with the
        // file the locks.
        let mapped = open().map_err(doing)?;
        // What has no blocks would end the process when it is touched on a full disk.
        let reserved = super::blocks::reserve(&mapped, OFFSET + len as u64);
        reserved.map_err(|error| doing(error.into()))?;
        let map = memmap2::MmapOptions::new().offset(OFFSET).len(len).map_raw(&mapped);
        let map = map.map_err(doing)?;
        let file = fork::delayed(|| open().inspect(fork::close_in_child)).map_err(doing)?;
        Ok(Self { map, file: Some(file), generation: fork::generation() })
    }

    #[expect(unsafe_code, reason = "words in memory that is shared with other processes")]
    fn words(&self) -> &Words {
        // SAFETY: the mapping has the length of `Words`, begins on a page, and is only ever
        // accessed as atomic words, by every process.
        unsafe { &*self.map.as_ptr().cast::<Words>() }
    }

    fn key_word(hash: u64) -> usize {
        hash as usize % KEYS
    }

    /// The words of a key and of its namespace.
    pub fn look(&self, hash: u64, namespace: u64) -> Seen {
        let (key, namespace) = (Self::key_word(hash), namespace as usize % NAMESPACES);
        let words = self.words();
        Seen {
            key: (key, words.keys[key].load(Ordering::SeqCst)),
            namespace: (namespace, words.namespaces[namespace].load(Ordering::SeqCst)),
        }
    }

    /// Whether neither was raised since.
    pub fn is_as(&self, seen: &Seen) -> bool {
        let words = self.words();
        words.keys[seen.key.0].load(Ordering::SeqCst) == seen.key.1
            && words.namespaces[seen.namespace.0].load(Ordering::SeqCst) == seen.namespace.1
    }

    /// A key is written or deleted. Call within the write transaction.
    #[inline]
    pub fn raise_key(&self, hash: u64) {
        self.words().keys[Self::key_word(hash)].fetch_add(1, Ordering::SeqCst);
    }

    /// Any key of a namespace may be deleted. Call within the write transaction.
    pub fn raise_namespace(&self, namespace: u64) {
        let words = self.words();
        words.namespaces[namespace as usize % NAMESPACES].fetch_add(1, Ordering::SeqCst);
    }

    /// Locks the byte of a key; false where another process holds it.
    pub fn try_lock(&self, hash: u64) -> io::Result<bool> {
        match self.set_lock(hash, libc::F_WRLCK) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Unlocks the byte of a key, then wakes who waits for it: a waiter that was woken
    /// before would find it locked, and sleep on.
    pub fn unlock(&self, hash: u64) {
        if self.generation != fork::generation() {
            return;
        }
        let _ = self.set_lock(hash, libc::F_UNLCK);
        let word = &self.words().wake[hash as usize % WAKE];
        word.fetch_add(1, Ordering::SeqCst);
        #[cfg(target_os = "linux")]
        let _ = rustix::thread::futex::wake(
            word,
            rustix::thread::futex::Flags::empty(),
            i32::MAX as u32,
        );
    }

    /// What changes when a lease of the key ends.
    pub fn wake_word(&self, hash: u64) -> u32 {
        self.words().wake[hash as usize % WAKE].load(Ordering::SeqCst)
    }

    /// Sleeps until [`Self::wake_word`] is not `seen` any more, or for so long.
    pub fn sleep(&self, hash: u64, seen: u32, most: Duration) {
        let word = &self.words().wake[hash as usize % WAKE];
        #[cfg(target_os = "linux")]
        {
            use rustix::thread::futex::{Flags, Timespec, wait};
            let most = Timespec {
                tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: most.subsec_nanos().into(),
            };
            let _ = wait(word, Flags::empty(), seen, Some(&most));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (word, seen, most);
    }

    #[cfg(target_os = "linux")]
    #[expect(unsafe_code, reason = "a system call that rustix does not have")]
    fn set_lock(&self, hash: u64, kind: libc::c_int) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let Some(file) = &self.file else { return Ok(()) };
        // SAFETY: zeros are valid for a struct of integers.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = kind as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        // The end of the range must be a valid offset too.
        lock.l_start = (BYTES + (hash & ((1 << 62) - 1))) as libc::off_t;
        lock.l_len = 1;
        loop {
            // SAFETY: the descriptor is open and the struct outlives the call.
            if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) } == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                // Both are allowed where another one holds it.
                Some(libc::EACCES) => return Err(io::ErrorKind::WouldBlock.into()),
                _ => return Err(error),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn set_lock(&self, _: u64, _: libc::c_int) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if self.generation == fork::generation() {
            fork::forget(&file);
        } else {
            // The child has closed it already, and the number may be another file's.
            std::mem::forget(file);
        }
    }
}

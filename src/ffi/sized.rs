//! Structs that carry their size, so that fields can be added at their end: an
//! old caller's is shorter than ours, a newer caller's is longer.
//!
//! What we write ends where the caller's struct or ours does, whichever comes first.
//! What we read is filled with zeros up to our length; bytes that this library
//! does not know must be zero, since it cannot do what they ask for.

use super::ptr;
use crate::base::error::{Error, Result};
use std::mem::MaybeUninit;

/// A caller's struct is not longer than this: more is a size that was never set.
const LONGEST: usize = 4096;

/// A struct whose first field is its size.
///
/// # Safety
/// `repr(C)`, begins with a `usize`, and has no padding; zeros are valid for each field.
pub(super) unsafe trait Growing {
    /// The length of the first released version: frozen, whatever is added.
    const FIRST: usize;
}

/// The size that the caller has set.
///
/// # Safety
/// `at` is NULL or begins with a readable `usize`.
unsafe fn size_of_callers<T: Growing>(what: &str, at: *const T) -> Result<usize> {
    let at = ptr::out(what, at.cast_mut())?;
    // SAFETY: not NULL; the first field is always there.
    let size = unsafe { at.cast::<usize>().read() };
    if (T::FIRST..=LONGEST).contains(&size) {
        return Ok(size);
    }
    Err(Error::arg(format!(
        "{what}: expected struct_size of at least {}, got {size}; set it to the size of the struct",
        T::FIRST
    )))
}

/// Where an answer goes, and how much of it the caller has room for.
pub(super) struct Out<T> {
    at: *mut T,
    size: usize,
}

impl<T: Growing> Out<T> {
    /// Checks the caller's struct.
    ///
    /// # Safety
    /// `at` is NULL or writable for its `struct_size`.
    pub(super) unsafe fn new(what: &str, at: *mut T) -> Result<Self> {
        // SAFETY: this function's own contract.
        let size = unsafe { size_of_callers(what, at) }?.min(size_of::<T>());
        Ok(Self { at, size })
    }

    /// How many bytes are written: what `struct_size` is afterwards.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Writes as much of the answer as the caller has room for.
    ///
    /// # Safety
    /// As [`Self::new`], whose promise still holds.
    pub(super) unsafe fn write(self, ours: &T) {
        let ours = std::ptr::from_ref(ours).cast::<u8>();
        // SAFETY: `size` is within both structs, and they are distinct.
        unsafe { std::ptr::copy_nonoverlapping(ours, self.at.cast::<u8>(), self.size) };
    }
}

/// The caller's struct at our length.
///
/// # Safety
/// `at` is NULL or has `struct_size` readable bytes.
pub(super) unsafe fn read<T: Growing>(what: &str, at: *const T) -> Result<T> {
    // SAFETY: this function's own contract.
    let size = unsafe { size_of_callers(what, at) }?;
    let known = size.min(size_of::<T>());
    // SAFETY: so many bytes are the caller's promise.
    let newer = unsafe { std::slice::from_raw_parts(at.cast::<u8>().add(known), size - known) };
    if let Some(byte) = newer.iter().position(|byte| *byte != 0) {
        return Err(Error::arg(format!(
            "{what}: expected zeros after the {known} bytes that this library knows, got a value \
             at byte {}; the program was built for a newer twat-cache",
            known + byte
        )));
    }
    let mut ours = MaybeUninit::<T>::zeroed();
    // SAFETY: within both structs; zeros are valid for what the caller has not.
    unsafe {
        std::ptr::copy_nonoverlapping(at.cast::<u8>(), ours.as_mut_ptr().cast::<u8>(), known);
        Ok(ours.assume_init())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct that had two fields when it was released, and has three now.
    #[repr(C)]
    #[derive(Debug, PartialEq)]
    struct Grown {
        struct_size: usize,
        first: u64,
        added: u64,
    }

    // SAFETY: so it is.
    unsafe impl Growing for Grown {
        const FIRST: usize = 16;
    }

    fn written(size: usize) -> Result<[u64; 5]> {
        let mut caller = [0xee; 5];
        caller[0] = size as u64;
        let at = caller.as_mut_ptr().cast::<Grown>();
        // SAFETY: 40 bytes are there, and no test says more.
        unsafe {
            let out = Out::new("stats", at)?;
            let ours = Grown { struct_size: out.size(), first: 1, added: 2 };
            out.write(&ours);
        }
        Ok(caller)
    }

    #[test]
    fn an_old_and_a_newer_caller_get_as_much_as_both_know() {
        assert_eq!(written(16).unwrap(), [16, 1, 0xee, 0xee, 0xee]);
        assert_eq!(written(20).unwrap()[..2], [20, 1], "the half of a field");
        assert_eq!(written(20).unwrap()[3..], [0xee, 0xee]);
        assert_eq!(written(24).unwrap(), [24, 1, 2, 0xee, 0xee]);
        assert_eq!(written(40).unwrap(), [24, 1, 2, 0xee, 0xee]);
        for size in [0, 8, 15, LONGEST + 1, usize::MAX] {
            let error = written(size).unwrap_err();
            assert!(error.text().contains(&format!("got {size}")), "{error}");
        }
    }

    #[test]
    fn an_old_caller_asks_for_nothing_new_and_a_newer_one_is_told_what_is_not_known() {
        let read = |caller: &[u64]| unsafe {
            // SAFETY: no test says more than there is.
            read("options", caller.as_ptr().cast::<Grown>())
        };
        let of = |struct_size, first, added| Grown { struct_size, first, added };
        assert_eq!(read(&[16, 7]).unwrap(), of(16, 7, 0));
        assert_eq!(read(&[16, 7, 9]).unwrap(), of(16, 7, 0), "beyond the old caller's struct");
        assert_eq!(read(&[24, 7, 9]).unwrap(), of(24, 7, 9));
        assert_eq!(read(&[40, 7, 9, 0, 0]).unwrap(), of(40, 7, 9));
        let error = read(&[40, 7, 9, 0, 1]).unwrap_err();
        assert!(error.text().contains("at byte 32"), "{error}");
        assert!(read(&[15, 7, 9]).is_err() && read(&[u64::MAX, 7, 9]).is_err());
    }
}

//! What each system does in another way with sockets. `unix.rs` and `windows.rs` have the
//! same functions and types.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
#[cfg(unix)]
pub use unix::{UnixStream, connect_unix, is_under_way, receive_now, set_keep_idle, socket};
#[cfg(windows)]
pub use windows::{UnixStream, connect_unix, is_under_way, receive_now, set_keep_idle, socket};

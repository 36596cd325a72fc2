//! The persistent engine: each promise and each hazard, on real files.

#[path = "disk/basics.rs"]
mod basics;
#[path = "disk/common.rs"]
mod common;

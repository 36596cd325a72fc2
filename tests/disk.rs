//! The persistent engine: each promise and each trap, on real files. What
//! needs other processes, kills and limits is in `hazards.rs`.

#[path = "disk/basics.rs"]
mod basics;
#[path = "disk/blobs.rs"]
mod blobs;
#[path = "disk/bounds.rs"]
mod bounds;
#[path = "disk/cleaners.rs"]
mod cleaners;
#[path = "disk/common.rs"]
mod common;
#[path = "disk/golden.rs"]
mod golden;
#[path = "disk/lifetimes.rs"]
mod lifetimes;
#[path = "disk/opening.rs"]
mod opening;
#[path = "disk/paths.rs"]
mod paths;
#[path = "disk/settings.rs"]
mod settings;
#[path = "disk/totals.rs"]
mod totals;
#[path = "disk/traps.rs"]
mod traps;

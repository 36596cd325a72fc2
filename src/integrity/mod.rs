//! Whether a store is sound: how it was left, and the walk over its pages.

pub mod boot;
pub mod walk;

//! What can happen to a store on disk, done to it: real processes, fixed
//! seeds. `TWAT_QUICK=1` takes a tenth of the counts, `TWAT_SOAK=1` ten times,
//! `TWAT_SOAK=n` n times.
//! What a failing test worked on stays under `target/hazards`.

#[path = "hazards/damage.rs"]
mod damage;
#[path = "hazards/descriptors.rs"]
mod descriptors;
#[path = "hazards/faults.rs"]
mod faults;
#[path = "hazards/full_disk.rs"]
mod full_disk;
#[path = "hazards/harness.rs"]
mod harness;
#[path = "hazards/healthy.rs"]
mod healthy;
#[path = "hazards/kill.rs"]
mod kill;
#[path = "hazards/leases.rs"]
mod leases;
#[path = "hazards/limits.rs"]
mod limits;
#[path = "hazards/readers.rs"]
mod readers;
#[path = "hazards/sharing.rs"]
mod sharing;
#[path = "hazards/tidied.rs"]
mod tidied;

/// The process that a hazard happens to: this program again, in a role. Run
/// by itself it has none and does nothing.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(harness::ROLE) else { return };
    let run: fn(&harness::Args) = match role.as_str() {
        "writer" => kill::writer,
        "damage-reader" => damage::reader,
        "damage-toucher" => damage::toucher,
        "damage-writer" => damage::writer,
        "forgetful" => healthy::forgetful,
        "before-reboot" => healthy::before_reboot,
        "after-reboot" => healthy::after_reboot,
        "lease-worker" => leases::worker,
        "lease-owner" => leases::owner,
        "lease-forker" => leases::forker,
        "lease-invalidator" => leases::invalidator,
        "reader" => readers::reader,
        "pinning-reader" => readers::pinning_reader,
        "faults" => faults::run,
        "descriptors" => descriptors::descriptors,
        "forks-amid-opens" => descriptors::forks_amid_opens,
        "full-disk-sweep" => full_disk::sweep,
        "one-of-many" => full_disk::one_of_many,
        "small-disk" => limits::small_disk,
        "file-size-limit" => limits::file_size_limit,
        "under-file-size-limit" => limits::under_file_size_limit,
        "under-address-limit" => limits::under_address_limit,
        "read-only-media" => limits::read_only_media,
        "pid-one" => limits::pid_one,
        "masked" => limits::masked,
        "forking" => sharing::forking,
        "stopping-writer" => sharing::stopping_writer,
        "forgetful-child" => sharing::forgetful_child,
        "opener" => sharing::opener,
        "tidied-reader" => tidied::reader,
        "tidied-writer" => tidied::writer,
        "replacer" => sharing::replacer,
        other => panic!("no role {other}"),
    };
    run(&harness::own_args());
}

//! The promises, one function each, over any [`Subject`].

mod atomicity;
mod basics;
mod batches;
mod bounds;
mod fork;
mod leases;
mod lifetimes;
mod scans;
pub mod subject;

pub use atomicity::*;
pub use basics::*;
pub use batches::*;
pub use bounds::*;
pub use fork::*;
pub use leases::*;
pub use lifetimes::*;
pub use scans::*;

/// One test for each promise, over what `$subject()` gives.
macro_rules! every_promise {
    ($subject:ident) => {
        conformance::every_promise! { $subject:
            what_was_set_is_what_is_got
            keys_that_look_alike_are_different
            a_set_replaces
            add_stores_only_where_nothing_is
            delete_tells_whether_there_was_something
            contains_counts_nothing
            read_hands_over_the_same_bytes
            clear_removes_everything
            figures_are_exact
            values_outlive_their_entry_and_their_cache
            an_expired_entry_is_a_miss_everywhere
            an_entry_does_not_outlive_its_time_by_a_suspend
            the_wall_clock_ends_nothing_in_memory
            a_time_to_live_is_the_last_one_given
            a_time_to_live_of_any_length_is_kept
            the_default_time_to_live_is_the_options
            touch_moves_the_end
            expire_removes_what_is_over
            an_invalidated_tag_makes_its_entries_misses
            the_count_is_of_what_a_get_would_hit
            tags_are_those_of_the_last_set
            scan_gives_each_key_with_the_prefix_once
            scan_under_writers_gives_what_stays_exactly_once
            counters_count
            a_counter_begins_with_any_stored_integer
            counters_keep_their_time
            counters_keep_their_tags
            many_at_once_is_one_by_one
            delete_prefix_takes_what_begins_so_and_nothing_else
            an_export_holds_all_and_an_import_brings_it_back
            a_file_is_stored_as_its_content
            what_can_never_fit_is_refused_and_changes_nothing
            bounds_hold_after_every_call
            policy_none_refuses_when_full
            threads_never_see_a_value_of_another_key_or_a_torn_one
            one_of_many_threads_adds
            threads_lose_no_increment
            a_forked_child_of_a_busy_parent_can_use_its_cache
            a_fetch_gives_the_value_or_one_lease
            threads_that_fetch_one_key_compute_it_once
            an_invalidation_during_a_computation_wins
            a_lease_outlives_its_cache_and_says_so
            a_lease_is_of_no_use_in_a_forked_child
        }
    };
    ($subject:ident: $($promise:ident)*) => {$(
        #[test]
        fn $promise() {
            conformance::$promise(&$subject());
        }
    )*};
}
pub(crate) use every_promise;

use std::collections::BTreeSet;
use twat_cache::Cache;

/// What a key holds, as plain bytes.
pub fn got(cache: &Cache, key: &[u8]) -> Option<Vec<u8>> {
    cache.get(key).expect("get").map(|value| value.to_vec())
}

/// All keys with a prefix, each of which must appear once.
pub fn scanned(cache: &Cache, prefix: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut keys = BTreeSet::new();
    let mut scan = cache.scan(prefix).expect("scan");
    while let Some(key) = scan.next_key().expect("next key") {
        assert!(key.starts_with(prefix), "{key:?} does not begin with {prefix:?}");
        assert!(keys.insert(key.clone()), "{key:?} appeared twice");
    }
    keys
}

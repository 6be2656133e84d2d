//! The conformance suite: what every backend must do, as stories over the ports alone.
//!
//! A law is an async function over a [`Backend`]. The list at the end makes one test of each law and each backend; another
//! backend joins by a line there.

mod containers;
mod credentials;
mod deliveries;
mod history;
mod operations;
mod rounds;
mod sweeps;
mod upkeep;
mod views;

use rounds_domain::ports::{Credentials, Operations, Store};
use rounds_store::{SqliteStore, StoreOptions};
use tempfile::TempDir;

/// A way to have a store.
pub(crate) trait Backend {
    /// The store.
    type Store: Store + Operations + Credentials;

    /// An empty store.
    async fn open(&self) -> Self::Store;

    /// What a new process finds after the one that had this store died.
    async fn reopen(&self, store: Self::Store) -> Self::Store;
}

/// `SQLite` in a file, on threads of its own.
pub(crate) struct Threads(TempDir);

impl Threads {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }
}

impl Backend for Threads {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.0.path(), &StoreOptions::default()).expect("a store")
    }

    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        drop(store);
        self.open().await
    }
}

/// `SQLite` in a file, on the caller's thread.
pub(crate) struct Inline(TempDir);

impl Inline {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }
}

impl Backend for Inline {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        SqliteStore::open_inline(self.0.path(), &StoreOptions::default()).expect("a store")
    }

    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        drop(store);
        self.open().await
    }
}

/// `SQLite` in memory, as simulations have it: what dies is whoever worked on it.
pub(crate) struct Memory;

impl Memory {
    pub(crate) fn new() -> Self {
        Self
    }
}

impl Backend for Memory {
    type Store = SqliteStore;

    async fn open(&self) -> SqliteStore {
        SqliteStore::in_memory(&StoreOptions::default()).expect("a store")
    }

    async fn reopen(&self, store: SqliteStore) -> SqliteStore {
        store.release_claims().await.expect("released");
        store
    }
}

macro_rules! suite {
    ($backends:tt $laws:tt) => { suite!(@backends $backends $laws); };
    (@backends { $($module:ident: $backend:ident),+ $(,)? } $laws:tt) => {
        $( suite!(@laws $module $backend $laws); )+
    };
    (@laws $module:ident $backend:ident { $($topic:ident::$law:ident),+ $(,)? }) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $law() {
                    super::$topic::$law(&super::$backend::new()).await;
                }
            )+
        }
    };
}

suite! {
    { threads: Threads, inline: Inline, memory: Memory }
    {
        rounds::a_feed_that_was_never_run_has_the_default_state,
        rounds::a_change_becomes_a_container_and_a_ledger_entry,
        rounds::a_repeated_commit_is_harmless,
        rounds::a_commit_repeated_after_the_ledger_went_on_tells_nothing_again,
        rounds::the_previous_state_is_the_ledgers_at_the_commit,
        rounds::one_record_twice_in_a_commit_is_told_twice_in_order,
        rounds::a_baseline_enters_the_ledger_silently,
        rounds::a_change_that_cannot_be_told_is_dead_at_once,
        rounds::a_commit_is_all_or_nothing,
        rounds::the_end_of_a_round_shows_in_its_feed,
        rounds::findings_stay_until_they_are_gone,
        rounds::a_round_in_parts_is_one_round,
        rounds::every_round_has_its_own_number,
        rounds::every_kind_of_cursor_is_kept,
        rounds::a_container_knows_the_partition_that_showed_its_record,
        containers::claims_come_in_the_order_of_changes_and_one_per_key,
        containers::a_claim_hides_until_its_lease_is_over,
        containers::a_parked_one_holds_up_its_key_and_no_other,
        containers::answers_of_a_parked_one_are_kept,
        containers::a_released_one_is_due_again_uncounted,
        containers::a_dead_one_lets_its_key_go_on,
        containers::a_dropped_one_lets_its_key_go_on,
        containers::settling_what_is_gone_changes_nothing,
        containers::a_late_worker_cannot_end_a_claim_that_is_not_his,
        containers::containers_follow_their_action_to_another_lane,
        containers::what_many_claim_at_once_is_claimed_once,
        deliveries::a_notification_is_owed_to_each_destination,
        deliveries::deliveries_keep_the_order_of_their_key,
        deliveries::attempts_are_recorded_and_the_last_hundred_kept,
        deliveries::an_untried_one_is_due_again_uncounted,
        deliveries::a_delivery_given_up_lets_its_key_go_on,
        deliveries::a_late_attempt_is_only_remembered,
        deliveries::a_paused_destination_is_given_nothing,
        deliveries::keys_of_different_destinations_are_apart,
        deliveries::a_breaker_outlives_the_process,
        deliveries::only_a_person_ends_a_persons_hold,
        deliveries::a_destination_may_be_told_one_after_another,
        deliveries::a_merge_is_a_barrier_across_its_keys,
        deliveries::replayed_deliveries_keep_their_order_and_their_ids,
        operations::the_overview_counts,
        operations::lists_are_filtered_and_paged,
        operations::retried_containers_start_afresh,
        operations::a_dead_container_retried_keeps_behind_earlier_ones_and_beside_later_ones,
        operations::dropped_containers_let_their_keys_go_on,
        operations::retried_deliveries_start_afresh_and_resume_their_destination,
        operations::dropped_deliveries_let_their_keys_go_on,
        operations::a_claim_survives_what_an_operator_does,
        operations::details_show_everything,
        sweeps::what_a_first_look_presumes_is_told_when_the_change_query_shows_it,
        sweeps::a_presumed_record_that_changed_has_a_former_state,
        sweeps::a_change_that_another_feed_overtook_is_left_alone_and_the_cursor_stays,
        sweeps::a_sweep_misses_what_it_did_not_show,
        sweeps::what_a_sweep_never_showed_is_missed_only_where_asked_for,
        sweeps::what_came_or_changed_meanwhile_is_not_missed,
        sweeps::what_is_gone_is_told_once_and_may_come_back,
        sweeps::what_is_out_of_sight_is_not_missed_until_it_is_shown_again,
        sweeps::what_is_thought_of_a_missed_record_is_kept_until_it_is_shown,
        sweeps::what_sweeps_found_is_added_up,
        history::a_record_remembers_when_it_came_and_whether_that_was_told,
        history::what_waits_is_known_with_what_it_waits_for,
        history::what_was_told_under_a_key_is_found_by_it,
        history::a_delivery_that_waits_is_known_with_what_it_waits_for,
        history::what_sweeps_think_of_a_record_is_known,
        views::feeds_that_show_two_states_of_a_record_do_not_take_turns,
        views::a_contested_change_leaves_no_view,
        credentials::the_last_secret_of_each_connection_outlives_the_process,
        credentials::a_kept_secret_is_not_shown,
        upkeep::a_new_process_finds_everything_and_claims_released,
        upkeep::the_installation_keeps_its_name,
        upkeep::what_is_due_beyond_any_schedule_is_brought_forward,
        upkeep::finished_ones_are_pruned_and_others_stay,
        upkeep::pruning_works_in_slices,
    }
}

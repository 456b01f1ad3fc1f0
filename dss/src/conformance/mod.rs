//! What any [`Catalogue`](crate::catalogue::Catalogue) must do, as cases that ask one rule each. Test binaries of `mem`
//! and `pg` turn the list below into named tests with [`conformance!`](crate::conformance); nothing else calls this.
//!
//! A case is given a [`World`] with an empty catalogue, and must leave no broken invariant behind.

pub mod clock;
pub mod erase;
pub mod extents;
pub mod holdings;
pub mod import;
pub mod indexed;
pub mod job_lists;
pub mod jobs;
pub mod leases;
pub mod libraries;
pub mod losses;
pub mod lost;
pub mod media;
pub mod objects;
pub mod puts;
pub mod reconcile;
pub mod record;
pub mod release;
pub mod restore;
pub mod support;
pub mod swap;
pub mod tape;
pub mod volume;
pub mod withdraw;
pub mod world;

pub use support::{Backend, Trap};
pub use world::World;

use std::sync::Arc;

/// Runs one case in a fresh world.
pub async fn run(make: impl AsyncFnOnce(Arc<Trap>) -> Box<dyn Backend>, case: impl AsyncFnOnce(&World)) {
    let trap = Arc::new(Trap::default());
    let world = World::new(make(Arc::clone(&trap)).await, trap);
    case(&world).await;
    world.must_be_sound().await;
}

/// Makes a named test of every case. The argument names an `async fn(Arc<Trap>) -> Box<dyn Backend>` in scope.
#[macro_export]
macro_rules! conformance {
    ($make:ident) => {
        $crate::conformance_tests! { $make;
            clock:
                a_clock_may_go_back_one_hour
                a_clock_may_jump_one_day_forward
                an_accepted_clock_is_the_new_mark
                events_are_kept_in_order_and_sealed_once
                every_change_raises_the_revision;
            erase:
                a_quarantine_holds_the_source
                the_last_good_bytes_are_not_given_up
                bytes_found_by_an_import_are_not_given_up
                a_kept_source_is_held_for_ever
                a_source_in_use_is_not_quarantined
                deleted_versions_are_dropped_only_by_name
                a_fence_in_vain_drops_nothing
                an_erasing_medium_is_only_erased_again
                a_quarantine_is_not_cut_short
                what_an_ended_job_left_quarantined_may_be_formatted
                a_locked_medium_is_not_erased
                a_source_is_not_formatted_under_its_job
                an_erased_medium_starts_anew
                an_erased_medium_is_what_the_operator_had_said
                nothing_is_finished_that_was_not_begun
                every_order_of_put_and_fence_is_safe
                a_quarantine_cut_short_did_not_happen;
            extents:
                several_extents_are_told_at_once
                a_manifest_lists_only_its_medium
                a_manifest_names_the_media_to_avoid
                a_manifest_tells_what_only_deleted_versions_need
                an_extent_of_no_bytes_is_live
                extents_are_filtered_and_paged
                extents_that_no_index_names_are_found_among_the_rest
                a_held_orphan_is_not_removable
                removable_orphans_are_found_page_by_page
                only_orphans_are_forgotten
                an_address_is_never_shared
                headers_say_what_the_object_is
                a_read_back_is_noted;
            holdings:
                holdings_are_told_of_every_medium
                holdings_tell_when_bytes_may_go
                holdings_count_what_is_shared_and_pending
                holdings_tell_since_when_a_medium_is_ill
                holdings_count_the_last_good_bytes
                i10_bytes_with_a_copy_on_every_target_are_stranded;
            import:
                unknown_objects_are_counted
                an_empty_catalogue_adopts_everything
                a_second_import_changes_nothing
                the_newest_version_found_is_the_live_one
                only_verified_whole_copies_are_adopted
                a_known_object_gains_an_unreferenced_extent
                a_missing_copy_is_adopted
                an_import_never_undoes_a_delete
                an_import_never_makes_a_newer_version
                an_import_takes_no_place_that_is_taken
                an_erasing_medium_is_not_imported
                a_copy_of_several_extents_is_adopted
                of_several_extents_for_a_place_the_newest_is_taken
                an_earlier_import_is_completed_by_a_later_one
                different_bytes_for_a_place_are_a_clash;
            indexed:
                an_extent_is_unnamed_until_its_own_medium_names_it
                a_moved_extent_is_unnamed_and_the_old_one_stays_as_it_was
                an_imported_extent_is_named
                an_extent_that_a_layout_follows_to_is_named
                a_forgotten_extent_is_on_no_list;
            jobs:
                a_job_makes_its_sources_read_only
                a_medium_being_emptied_for_a_reason_keeps_it
                a_migration_leaves_its_medium_in_use_and_lets_go
                a_wish_is_forgotten_where_it_means_nothing
                a_medium_has_one_active_job
                going_back_claims_the_sources_again
                a_fenced_medium_is_no_source
                a_job_advances_by_compare_and_set
                the_first_error_stands
                control_is_kept_beside_the_state
                a_skip_is_listed_once
                e12_a_substitution_is_told_when_it_is_swapped
                a_request_cut_short_did_not_happen;
            job_lists:
                jobs_are_listed_newest_first
                only_active_jobs_are_listed_as_active
                jobs_are_found_by_their_sources_and_states;
            leases:
                the_same_seat_takes_over_at_once
                another_seat_waits_for_end_and_margin
                renewal_prolongs_what_is_still_ours
                a_released_lease_is_free_and_its_epoch_dead
                a_stale_release_frees_nothing
                a_lost_epoch_changes_nothing
                only_dead_epochs_are_swept
                a_swept_extent_is_never_referenced;
            libraries:
                libraries_are_listed_by_name
                a_library_with_media_is_not_forgotten
                drives_are_noted_by_bay
                a_locked_drive_stays_locked
                a_library_has_one_tape_of_a_barcode
                a_tape_is_found_where_it_is
                a_tape_in_its_library_is_in_reach;
            losses:
                what_if_tells_what_is_lost_and_what_has_fewer_copies
                what_if_counts_from_what_can_be_read_now
                what_if_puts_copies_together_part_by_part
                what_if_lists_no_more_than_asked;
            lost:
                i5_objects_whose_every_copy_is_on_lost_media_are_named
                i5_copies_make_up_for_one_another_part_by_part
                i5_objects_on_doubtful_media_alone_are_counted
                i5_old_bytes_that_could_save_an_object_are_named;
            media:
                a_new_medium_is_blank_and_in_service
                media_are_listed_by_name
                a_labelled_medium_is_not_forgotten
                a_change_is_conditional_and_partial
                no_change_makes_a_medium_erasing_or_quarantined
                a_recorded_extent_makes_a_medium_used
                usage_sums_by_what_may_become_of_bytes
                used_bytes_are_told_of_all_media_at_once
                a_suspect_medium_loses_confidence;
            objects:
                several_versions_are_told_at_once
                a_delete_is_undone_by_undelete
                undelete_never_makes_two_live_versions
                a_purge_ends_what_was_deleted_long_ago
                a_purge_is_bounded
                a_purged_version_number_stays_taken
                a_purge_waits_for_a_repack_that_runs_or_failed
                a_shared_extent_outlives_a_purge
                objects_are_listed_in_byte_order_by_page
                a_listing_filters_by_prefix_and_life
                a_refused_overwrite_changes_nothing
                a_delete_cut_short_did_not_happen;
            puts:
                a_put_is_pending_first
                a_commit_makes_extents_sync_and_the_object_visible
                objects_of_one_commit_fail_for_themselves
                an_overwrite_supersedes
                versions_of_one_commit_follow_its_order
                a_copy_that_is_not_whole_is_refused
                a_put_may_finish_on_a_medium_that_became_a_source
                a_put_and_the_fence_exclude_each_other
                an_earlier_generation_is_fenced
                only_a_medium_in_service_takes_extents
                abandoning_touches_only_ones_own_pending_extents
                a_put_is_given_the_version_its_media_name
                versions_are_told_in_the_order_asked
                an_extent_fills_only_its_own_place;
            reconcile:
                e16_a_catalogue_knows_its_own_stamps
                e16_a_medium_of_another_history_is_ahead
                e16_a_catalogue_that_ran_on_is_told_by_the_hash
                e16_nothing_is_destroyed_while_a_medium_is_ahead
                e16_a_medium_not_seen_since_the_restore_holds_everything_up
                e16_orphans_on_a_medium_ahead_are_held
                an_old_image_of_a_medium_is_suspect
                an_old_image_takes_read_backs_away_whatever_the_health
                e16_layouts_follow_to_the_same_bytes
                e16_layouts_never_follow_to_other_bytes
                e16_layouts_never_follow_to_another_copys_medium
                e16_a_generation_is_taken_and_its_layouts_follow
                e16_layouts_follow_to_a_medium_that_was_erased_and_filled_again
                e16_a_job_ends_whose_sources_were_erased_since
                e16_a_medium_that_waited_to_be_erased_may_be_given_up
                e16_nothing_on_a_level_medium_is_forgotten
                e16_what_is_nowhere_may_come_back
                e16_what_was_forgotten_comes_back_from_old_bytes
                e16_a_reconciliation_brings_back_a_newer_version;
            record:
                a_move_is_pending_first
                a_move_changes_neither_bytes_nor_place
                copies_never_meet
                shared_extents_avoid_the_copies_of_all_their_objects
                a_target_needs_a_lease_and_is_no_source
                only_live_extents_are_moved
                a_rerun_reaches_the_goal_without_duplicates
                a_record_cut_short_did_not_happen;
            release:
                i10_a_copy_is_released_whole
                i10_the_last_copy_is_not_released
                i10_copies_on_media_not_relied_on_do_not_count
                i10_a_shared_extent_is_not_released
                e16_a_version_is_forgotten_whole_whose_other_copy_was_released;
            restore:
                a_restore_puts_the_layout_back
                a_restore_that_is_refused_leaves_the_quarantine
                a_restore_asked_again_answers_the_same
                a_restore_does_not_undo_a_delete
                a_delete_after_a_restore_is_as_any
                a_restore_does_not_undo_an_overwrite
                a_restore_leaves_a_purged_version_alone
                a_restore_leaves_what_moved_on
                a_running_job_swaps_back_and_moves_again
                a_restored_job_holds_what_can_be_had_back_and_no_more
                what_a_fence_dropped_is_held_nowhere
                a_restore_needs_proof_of_the_old_bytes
                a_restore_after_the_fence_is_refused
                a_shared_extent_returns_for_all
                a_restore_cut_short_did_not_happen;
            swap:
                a_swap_repoints_and_holds_the_old_bytes
                a_shared_extent_takes_all_its_objects_along
                a_delete_during_the_move_does_not_stop_it
                an_overwrite_racing_the_swap_is_not_lost
                an_entry_that_moved_on_vanishes
                the_order_of_entries_decides
                a_swap_asked_again_answers_the_same
                a_swap_cut_short_did_not_happen
                a_batch_is_swapped_whole_or_not_at_all
                only_the_owner_swaps
                a_swap_has_a_stated_maximum
                an_erased_target_takes_no_layout
                old_bytes_are_offered_newest_first;
            tape:
                a_put_on_tape_tells_where_it_lies
                a_move_to_tape_tells_where_it_lies
                an_import_tells_where_extents_lie
                i3_an_import_takes_no_place_that_cannot_be
                e13_a_tape_is_known_to_its_durable_end
                an_erased_tape_ends_at_its_beginning
                a_live_extent_without_a_place_on_tape_is_told
                i11_extents_on_the_same_bytes_of_a_tape_are_told;
            volume:
                e05_a_volume_becomes_a_medium_and_its_files_objects
                i5_unread_objects_are_lost_with_their_medium
                names_that_are_taken_refuse_a_whole_volume
                a_volume_is_one_medium
                i6_a_volume_of_other_software_takes_no_extents
                x07_a_move_of_unread_bytes_makes_their_digests_known
                x07_a_move_of_unread_bytes_knows_what_other_software_said
                i3_digests_that_became_known_since_are_recorded_with_a_move
                i3_a_move_that_contradicts_what_became_known_since_is_not_swapped
                digests_of_what_was_read_are_noted_once
                an_erased_volume_is_one_of_ours;
            withdraw:
                what_is_withdrawn_leaves_no_row
                a_withdrawn_move_can_be_recorded_again;
        }
    };
}

/// One module of tests for every module of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($make:ident; $($module:ident: $($case:ident)+;)+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $case() {
                $crate::conformance::run(super::$make, $crate::conformance::$module::$case).await;
            })+
        })+
    };
}

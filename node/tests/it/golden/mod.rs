//! Golden scripts: a script names the delivered messages, and its file has the resulting messages.
//!
//! After an intended change, rewrite the answers with `UPDATE_GOLDENFILES=1 cargo test -p node --test it
//! golden`, and review the difference.

mod stage;

use stage::Stage;

fn run(script: &str) {
    let path = format!("{}/tests/it/golden/scripts/{script}", env!("CARGO_MANIFEST_DIR"));
    goldenscript::run(&mut Stage::default(), &path).expect("the script's answers match its file");
}

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            run(concat!(stringify!($name), ".txt"));
        }
    )*};
}

scripts! {
    one_command_is_decided_and_applied,
    two_leaders_compete_for_ever_without_backoff,
    an_adopted_leader_takes_over_what_was_accepted,
    a_preempted_commander_decides_nothing,
    gap_is_filled_with_no_ops,
    a_command_decided_twice_is_applied_once,
    the_window_holds_proposals_back,
    passive_leader_takes_over_from_silent_one,
    a_leader_backs_off_longer_each_time,
    collected_slots_are_never_proposed_again,
    quorum_read_waits_for_accepted_slots,
    lease_answers_reads_until_it_ends,
    lagging_replica_gets_the_state,
    new_members_decide_only_from_their_slot_on,
}

//! Tests of held events: in order, lost, new, late, and any permutation.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn entries(lanes: &[(usize, u64)]) -> Vec<Entry> {
    lanes.iter().map(|(lane, hash)| Entry { lane: *lane, hash: *hash }).collect()
}

/// The order a1 b1 a2 b2, with a limit of 100.
fn order() -> Order {
    Order::new(entries(&[(0, 1), (1, 1), (0, 2), (1, 2)]), 100)
}

#[test]
fn same_order_is_never_held() {
    let mut order = order();
    for (now, (lane, hash)) in [(0, 1), (1, 1), (0, 2), (1, 2)].into_iter().enumerate() {
        assert_eq!(order.arrive(lane, hash, now as u64), Arrival::Pass);
    }
    assert_eq!((order.followed().in_order, order.divergence()), (4, None));
}

#[test]
fn early_event_waits_for_its_predecessor() {
    let mut order = order();
    assert_eq!(order.arrive(1, 1, 10), Arrival::Hold { position: 1, until: 110 });
    assert!(!order.releases(1, 110, 20));
    assert_eq!(order.arrive(0, 1, 30), Arrival::Pass);
    assert!(order.releases(1, 110, 30));
    assert_eq!(order.divergence(), None);
}

#[test]
fn limit_ends_the_wait_and_is_reported() {
    let mut order = order();
    assert_eq!(order.arrive(1, 1, 10), Arrival::Hold { position: 1, until: 110 });
    assert!(order.releases(1, 110, 110));
    let first = order.divergence().unwrap();
    assert_eq!((first.at, first.position), (110, 0));
    assert_eq!((first.expected, first.came), (Entry { lane: 0, hash: 1 }, Entry { lane: 1, hash: 1 }));
    assert_eq!(order.arrive(1, 2, 200), Arrival::Hold { position: 3, until: 250 }, "half the limit");
}

#[test]
fn lost_and_new_events_hold_no_event() {
    let mut order = order();
    assert_eq!(order.arrive(0, 9, 0), Arrival::Pass, "it was not recorded");
    assert_eq!(order.arrive(0, 2, 1), Arrival::Hold { position: 2, until: 101 }, "a1 does not come");
    assert_eq!(order.arrive(1, 1, 2), Arrival::Pass);
    assert!(order.releases(2, 101, 3));
    assert_eq!((order.followed().unexpected, order.followed().skipped), (1, 1));
    assert_eq!(order.divergence(), None);
}

#[test]
fn unknown_lanes_pass() {
    assert_eq!(order().arrive(7, 1, 0), Arrival::Pass);
}

/// Lets events arrive at these times, and returns the lanes and times at which they passed.
fn played(order: &mut Order, arriving: &[(Nanos, Entry)], step: Nanos) -> Vec<(Nanos, Nanos, Entry)> {
    let mut held: BTreeMap<usize, VecDeque<(Nanos, usize, Nanos, Entry)>> = BTreeMap::new();
    let (mut passed, mut rest, mut now) = (Vec::new(), arriving.iter().peekable(), 0);
    while rest.peek().is_some() || held.values().any(|lane| !lane.is_empty()) {
        while let Some((at, entry)) = rest.next_if(|(at, _)| *at <= now) {
            match order.arrive(entry.lane, entry.hash, *at) {
                Arrival::Pass => passed.push((*at, *at, *entry)),
                Arrival::Hold { position, until } => {
                    held.entry(entry.lane).or_default().push_back((*at, position, until, *entry));
                }
            }
        }
        let mut again = true;
        while again {
            again = false;
            for lane in held.values_mut() {
                let front =
                    lane.pop_front_if(|(_, position, until, _)| order.releases(*position, *until, now));
                if let Some((at, _, _, entry)) = front {
                    passed.push((at, now, entry));
                    again = true;
                }
            }
        }
        now += step;
    }
    passed
}

proptest! {
    #[test]
    fn same_sequence_never_diverges(lanes in prop::collection::vec((0_usize..5, 0_u64..4), 1..200)) {
        let mut order = Order::new(entries(&lanes), 100);
        for (now, (lane, hash)) in (0..).zip(&lanes) {
            prop_assert_eq!(order.arrive(*lane, *hash, now), Arrival::Pass);
        }
        prop_assert_eq!((order.followed().in_order, order.divergence()), (lanes.len() as u64, None));
    }

    #[test]
    fn permutation_within_limit_is_put_right(
        lanes in prop::collection::vec(0_usize..5, 1..120),
        times in prop::collection::vec(0_u64..50, 120),
    ) {
        // Each lane keeps its own order, as on a connection; lanes overtake each other freely.
        let all: Vec<(usize, u64)> = lanes.into_iter().zip(0..).collect();
        let recorded = entries(&all);
        let mut last: BTreeMap<usize, Nanos> = BTreeMap::new();
        let mut arriving: Vec<(Nanos, Entry)> = recorded.iter().zip(times).map(|(entry, time)| {
            let at = last.entry(entry.lane).or_default();
            *at = (*at).max(time);
            (*at, *entry)
        }).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let mut order = Order::new(recorded.clone(), 100);
        let passed: Vec<Entry> = played(&mut order, &arriving, 1).into_iter().map(|(_, _, entry)| entry).collect();
        prop_assert_eq!(passed, recorded);
        prop_assert_eq!(order.divergence(), None);
    }

    #[test]
    fn no_event_waits_longer_than_the_limit(
        recorded in prop::collection::vec((0_usize..4, 0_u64..6), 1..80),
        came in prop::collection::vec((0_usize..5, 0_u64..7, 0_u64..300), 1..80),
    ) {
        let mut arriving: Vec<(Nanos, Entry)> =
            came.iter().map(|(lane, hash, at)| (*at, Entry { lane: *lane, hash: *hash })).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let mut order = Order::new(entries(&recorded), 100);
        let passed = played(&mut order, &arriving, 1);
        prop_assert_eq!(passed.len(), arriving.len());
        prop_assert!(passed.iter().all(|(at, when, _)| when - at <= 101), "{:?}", passed);
    }
}

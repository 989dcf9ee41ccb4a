//! The decoder of frames: never panics, allocates in proportion to the input, and reads valid packets.
//!
//! `DECODER_INPUTS=1000000 cargo test --release -p node --test decoder` tries more inputs than the usual twenty thousand.

#![allow(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]
#![allow(unsafe_code, reason = "an allocator that counts has no safe form")]

use bytes::Bytes;
use node::config::{Member, Role};
use node::paxos::membership::{Change, Membership};
use node::paxos::message::{Ballot, Command, Decided, Message, NodeId, PValue};
use node::paxos::packet::{DecodeError, Folder, Packet, decode, encode};
use node::store::Operation;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

const WINDOW: u64 = 1000;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Counts the bytes that each thread holds.
struct Counting;

fn count(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes, and checks that memory grows in proportion to the input.
///
/// An element of one byte becomes one of about a hundred, and each level of lists reserves at most a mebibyte
/// before reading.
fn decoded(bytes: &[u8]) -> Result<Vec<Packet>, DecodeError> {
    let before = LIVE.get();
    PEAK.set(before);
    let packets = decode(bytes, WINDOW);
    let allocated = usize::try_from(PEAK.get() - before).unwrap();
    let allowed = (6 << 20) + 400 * bytes.len();
    assert!(allocated <= allowed, "{allocated} bytes were allocated for {} of input", bytes.len());
    for packet in packets.iter().flatten() {
        assert!(packet.clone().unfold(None).len() <= 4096);
    }
    packets
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (0..u64::MAX >> 2, any::<u8>()).prop_map(|(round, leader)| Ballot { round, leader: NodeId(leader) })
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || "[a-z]{1,4}";
    let simple = prop_oneof![
        Just(Operation::Nothing),
        key().prop_map(|key| Operation::Get { key }),
        (key(), ".{0,20}").prop_map(|(key, value)| Operation::Put { key, value: value.into() }),
        (key(), proptest::option::of(".{0,5}"), ".{0,5}").prop_map(|(key, from, to)| Operation::Cas {
            key,
            from,
            to
        }),
        (key(), any::<i64>()).prop_map(|(key, by)| Operation::Incr { key, by }),
        (key(), key(), any::<u64>()).prop_map(|(from, to, amount)| Operation::Transfer { from, to, amount }),
        vec(key(), 0..4).prop_map(|accounts| Operation::Total { accounts }),
        vec(key(), 0..3)
            .prop_map(|remove| Operation::Reconfigure { change: Change { remove, ..Change::default() } }),
    ];
    let simple = simple.boxed();
    let operations = vec(simple.clone(), 0..4);
    prop_oneof![4 => simple, 1 => operations.prop_map(|operations| Operation::Transaction { operations })]
}

fn command() -> impl Strategy<Value = Arc<Command>> {
    ("[a-z]{0,5}", any::<u64>(), operation()).prop_map(|(client, sequence, operation)| {
        Arc::new(Command { client: client.into(), sequence, operation })
    })
}

fn slot() -> impl Strategy<Value = u64> {
    prop_oneof![0..3000_u64, 0..u64::MAX >> 3]
}

fn pvalue() -> impl Strategy<Value = PValue> {
    (ballot(), slot(), command()).prop_map(|(ballot, slot, command)| PValue { ballot, slot, command })
}

fn membership() -> Membership {
    let member = |name: &str| Member {
        name: name.to_owned(),
        address: ([127, 0, 0, 1], 7000).into(),
        roles: [Role::Replica, Role::Leader, Role::Acceptor].into(),
    };
    let mut membership = Membership::genesis(&["n1", "n2", "n3"].map(member), WINDOW).unwrap();
    membership.change(9, &Change { add: vec![member("n4")], remove: vec!["n1".to_owned()] }).unwrap();
    membership
}

fn message() -> impl Strategy<Value = Message> {
    let decided = || (slot(), command()).prop_map(|(slot, command)| Decided { slot, command });
    prop_oneof![
        command().prop_map(Message::Request),
        decided().prop_map(Message::Propose),
        (ballot(), slot()).prop_map(|(ballot, from)| Message::P1a { ballot, from }),
        (ballot(), ballot(), slot(), vec(pvalue(), 0..4), proptest::option::of(slot())).prop_map(
            |(scout, promised, from, accepted, next)| Message::P1b {
                scout,
                promised,
                collected: from,
                from,
                accepted,
                next
            }
        ),
        pvalue().prop_map(Message::P2a),
        (ballot(), slot(), ballot()).prop_map(|(commander, slot, promised)| Message::P2b {
            commander,
            slot,
            promised
        }),
        pvalue().prop_map(Message::Decision),
        slot().prop_map(|slot_out| Message::Progress { slot_out }),
        slot().prop_map(|from| Message::Learn { from }),
        (vec(decided(), 0..4), slot())
            .prop_map(|(decisions, slot_out)| Message::Learned { decisions, slot_out }),
        (slot(), 0..9_u64, vec(any::<u8>(), 0..40)).prop_map(|(slot_out, offset, part)| Message::State {
            slot_out,
            offset,
            total: offset + part.len() as u64,
            part: Bytes::from(part),
        }),
        (slot(), any::<u64>()).prop_map(|(slot_out, offset)| Message::Fetch { slot_out, offset }),
        (any::<u64>(), any::<u64>(), slot()).prop_map(|(life, number, slot)| Message::Highest {
            life,
            number,
            slot
        }),
        (ballot(), any::<u64>(), 0..100_000_u64).prop_map(|(ballot, number, ms)| Message::Lease {
            ballot,
            number,
            time: Duration::from_millis(ms)
        }),
        (any::<bool>(), any::<bool>()).prop_map(|(leads, tries)| Message::Pong { leads, tries }),
        (any::<u64>(), any::<u8>())
            .prop_map(|(version, sender)| Message::Knows { version, sender: NodeId(sender) }),
        Just(Message::Who),
        Just(Message::Members(membership())),
    ]
}

/// Folded runs of messages, as a turn produces them.
fn packets() -> impl Strategy<Value = Vec<Packet>> {
    let run = prop_oneof![
        vec(message(), 0..4),
        (ballot(), slot(), vec(command(), 1..8)).prop_map(|(ballot, from, commands)| -> Vec<Message> {
            let pvalue = |(slot, command)| PValue { ballot, slot, command };
            let pvalues: Vec<_> = (from..).zip(commands).map(pvalue).collect();
            pvalues
                .iter()
                .cloned()
                .map(Message::P2a)
                .chain(pvalues.iter().cloned().map(Message::Decision))
                .collect()
        }),
        (ballot(), slot(), 1..1500_u64).prop_map(|(commander, from, length)| -> Vec<Message> {
            let answer = |slot| Message::P2b { commander, slot, promised: commander };
            (from..from + length).map(answer).collect()
        }),
    ];
    vec(run, 0..3).prop_map(|runs: Vec<Vec<Message>>| Folder::new(WINDOW).fold(runs.into_iter().flatten()))
}

/// Encoded packets with damage: changed, removed and repeated bytes.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (packets(), vec(change, 1..6)).prop_map(|(packets, changes)| {
        let mut bytes = encode(&packets, Vec::new());
        for (sample, value, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let index = sample.index(bytes.len());
            match kind {
                0 => bytes[index] = value,
                1 => bytes[index] ^= 1 << (value % 8),
                2 => bytes.truncate(index),
                _ => bytes.splice(index..index, [0xff; 9]).for_each(drop),
            }
        }
        bytes
    })
}

/// Random bytes, many of which begin like packets.
fn random() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => 0..24_u8, 1 => any::<u8>(), 1 => Just(0xff)];
    vec(byte, 0..200)
}

/// A test runner with the number of inputs from the variable, or few without it.
fn runner(share: u32) -> TestRunner {
    let inputs = std::env::var("DECODER_INPUTS").ok().map_or(20_000, |inputs| inputs.parse().unwrap());
    let config = Config {
        cases: (inputs / share).max(1),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(10),
        ..Config::default()
    };
    TestRunner::new(config)
}

#[test]
fn packets_are_decoded_as_they_were_encoded() {
    runner(20)
        .run(&packets(), |packets| {
            prop_assert_eq!(decoded(&encode(&packets, Vec::new())), Ok(packets));
            Ok(())
        })
        .unwrap();
}

#[test]
fn decoder_never_panics_or_overallocates() {
    runner(2)
        .run(&random(), |bytes| {
            let _ = decoded(&bytes);
            Ok(())
        })
        .unwrap();
    let sound = Cell::new(0);
    runner(4)
        .run(&damaged(), |bytes| {
            sound.set(sound.get() + u32::from(decoded(&bytes).is_ok()));
            Ok(())
        })
        .unwrap();
    assert!(sound.get() > 0, "some damage must give other packets, or the test tests nothing");
}

/// A number as postcard writes it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

#[test]
fn runs_longer_than_the_window_are_refused() {
    let ballot = [1, 0];
    for (from, to, sound) in [
        (5, 6, true),
        (5, 5 + WINDOW, true),
        (5, 6 + WINDOW, false),
        (0, u64::MAX, false),
        (u64::MAX - 1, u64::MAX, false),
        (6, 6, false),
        (7, 6, false),
    ] {
        let slots = [varint(from), varint(to)].concat();
        let chosen = [&[1, 3][..], &ballot, &slots].concat();
        let accepted = [&[1, 2][..], &ballot, &ballot, &slots].concat();
        for bytes in [chosen, accepted] {
            let result = decoded(&bytes);
            assert_eq!(result.is_ok(), sound, "{from}..{to}: {result:?}");
            assert!(
                sound
                    || result
                        == Err(DecodeError::Range(if to > u64::MAX >> 2 {
                            "a slot or round"
                        } else {
                            "a run of slots"
                        }))
            );
        }
    }
}

#[test]
fn claimed_lengths_reserve_nothing() {
    for length in [1 << 20, 1 << 32, u64::MAX] {
        let length = varint(length);
        for bytes in [
            length.clone(),
            [&[1, 1, 1, 0, 0][..], &length].concat(),
            [&[1, 0, 0][..], &length].concat(),
            [&[1, 0, 3, 1, 0, 1, 0, 1, 1][..], &length].concat(),
            [&[1, 0, 9][..], &length].concat(),
        ] {
            assert!(decoded(&bytes).is_err(), "{bytes:?}");
        }
    }
}

#[test]
fn bytes_behind_last_packet_are_refused() {
    let bytes = encode(&[Packet::One(Message::Ping)], Vec::new());
    assert_eq!(decoded(&[&bytes[..], &[0, 0]].concat()), Err(DecodeError::Trailing(2)));
}

#[test]
fn transactions_without_end_are_refused() {
    let levels = [11, 1].repeat(200_000);
    let command = [&[1, 0, 0, 1, b'c', 1][..], &levels, &[0]].concat();
    assert!(matches!(decoded(&command), Err(DecodeError::Shape(_))));
}

//! Histories that are sessions of transactions without times: those of dbcop, Cobra, Plume and AWDIT.

use checker::Answer;
use checker::transactions::{Consistency, Options as Asked, Workload, check};
use formats::{Format, Options, Order, Read, read};

fn answer(read: &Read, model: Consistency) -> Answer {
    let options = Asked { model, ..Asked::new(Workload::RwRegister) };
    check(&read.operations().unwrap(), &options).answer
}

/// Reads a file, whose format must be found.
fn found(bytes: &[u8], name: &str, format: Format) -> Read {
    let read = read(bytes, name, &Options::default()).unwrap();
    assert_eq!((read.format, read.order), (format, Order::Sessions));
    assert_eq!(read.model().unwrap(), "rw-register");
    read
}

/// One session writes 1 and then 2; the other reads `first`, then `second`.
fn plume(first: u64, second: u64) -> Vec<u8> {
    format!("w(7,1,0,0)\nw(7,2,0,1)\nr(7,{first},1,2)\nr(7,{second},1,3)\n").into_bytes()
}

#[test]
fn sessions_are_ordered_and_real_time_is_not() {
    // The second session reads old values, as it may without real time.
    for (first, second, expected) in [
        (0, 1, Answer::Valid),
        (1, 2, Answer::Valid),
        (0, 0, Answer::Valid),
        (2, 1, Answer::Invalid),
        (1, 0, Answer::Invalid),
    ] {
        let read = found(&plume(first, second), "history.txt", Format::Plume);
        assert_eq!(answer(&read, Consistency::StrongSessionSerializable), expected, "{first}, {second}");
    }
}

#[test]
fn sessions_are_named_where_they_decide() {
    let read = found(&plume(2, 1), "history.txt", Format::Plume);
    let model = Consistency::StrongSessionSerializable;
    let options = Asked { model, ..Asked::new(Workload::RwRegister) };
    let evidence = check(&read.operations().unwrap(), &options).evidence();
    let said = |line: &str| evidence.iter().any(|said| said.trim() == line);
    assert!(said("T3 precedes T4: process 1 issued T3, then T4"), "{evidence:#?}");
    assert!(!evidence.iter().any(|line| line.contains("T3 wrote")), "{evidence:#?}");
}

#[test]
fn aborted_writes_of_plume_failed() {
    let read = found(b"w(7,1,0,-1)\nw(7,2,0,1)\nr(7,1,1,2)\n", "history.txt", Format::Plume);
    assert_eq!(answer(&read, Consistency::ReadCommitted), Answer::Invalid);
}

#[test]
fn rules_of_awdit_part_transactions_and_sessions() {
    let text = b"w 0 1\nw 1 1\n---\nw 0 2\n===\nr 0 1\nr 1 1\n---\nr 0 2\n";
    let read = found(text, "history.txt", Format::Awdit);
    let processes: Vec<u64> = read.operations().unwrap().iter().map(|operation| operation.process).collect();
    assert_eq!(processes, [0, 0, 1, 1]);
    assert_eq!(answer(&read, Consistency::StrongSessionSerializable), Answer::Valid);
    let torn = b"w 0 0\nw 1 0\n===\nw 0 1\nw 1 1\n===\nr 0 1\nr 1 0\n";
    let torn = found(torn, "history.txt", Format::Awdit);
    assert_eq!(answer(&torn, Consistency::Serializable), Answer::Invalid);
}

/// A record of Cobra's logs.
fn record(letter: u8, numbers: &[u64]) -> Vec<u8> {
    std::iter::once(letter).chain(numbers.iter().flat_map(|number| number.to_be_bytes())).collect()
}

#[test]
fn writes_of_cobra_with_one_number_have_their_values() {
    // Two transactions of a session count their writes from zero; another session reads both.
    let write = |txn: u64, value: u64| {
        [record(b'S', &[txn]), record(b'W', &[0, 5, value]), record(b'C', &[txn])].concat()
    };
    let read = |writer: u64, value: u64| {
        [record(b'S', &[9]), record(b'R', &[writer, 0, 5, value]), record(b'C', &[9])].concat()
    };
    let writes = [write(1, 10), write(2, 20)].concat();
    for (reads, expected) in [
        ([read(1, 10), read(2, 20)], Answer::Valid),
        ([read(2, 20), read(1, 10)], Answer::Invalid),
        ([read(1, 10), read(1, 30)], Answer::Invalid),
    ] {
        let log = found(&[writes.clone(), reads.concat()].join(&b'\n'), "T1.log", Format::Cobra);
        assert_eq!(answer(&log, Consistency::StrongSessionSerializable), expected, "{reads:?}");
        assert!(
            log.notes.iter().any(|note| note.starts_with("1 write has the number of ")),
            "{:?}",
            log.notes
        );
    }
}

#[test]
fn logs_of_cobra_are_sessions() {
    let initial = [0xbebe_ebee_u64, 0xbebe_ebee];
    let writer = [record(b'S', &[1]), record(b'W', &[11, 7, 99]), record(b'C', &[1])].concat();
    let reader = |writer: u64, write: u64| {
        [record(b'S', &[2]), record(b'R', &[writer, write, 7, 99]), record(b'C', &[2])].concat()
    };
    for (read, expected) in [
        (reader(1, 11), Answer::Valid),
        (reader(initial[0], initial[1]), Answer::Valid),
        (reader(1, 12), Answer::Invalid),
    ] {
        let read = found(&[writer.clone(), read].join(&b'\n'), "T1.log", Format::Cobra);
        assert_eq!(answer(&read, Consistency::Serializable), expected);
    }
    let cut = found(&[writer.clone(), reader(1, 11)[..20].to_vec()].join(&b'\n'), "T1.log", Format::Cobra);
    assert!(cut.unfinished);
}

#[test]
fn numbers_of_dbcop_are_read() {
    let mut bytes: Vec<u8> = Vec::new();
    let number = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
    for size in [10, 2, 1, 1, 1] {
        number(&mut bytes, size);
    }
    for text in ["a remark", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00"] {
        number(&mut bytes, text.len() as u64);
        bytes.extend(text.as_bytes());
    }
    number(&mut bytes, 2);
    // Each session has one transaction of one event: key, value, and whether it succeeded.
    for (writes, value) in [(1, 5), (0, 5)] {
        number(&mut bytes, 1);
        number(&mut bytes, 1);
        bytes.push(writes);
        number(&mut bytes, 3);
        number(&mut bytes, value);
        bytes.extend([1, 1]);
    }
    let read = found(&bytes, "history.bincode", Format::Dbcop);
    assert_eq!(read.events().len(), 4);
    assert_eq!(answer(&read, Consistency::Serializable), Answer::Valid);
    let error = formats::read(&bytes[..bytes.len() - 3], "h", &Options::default()).unwrap_err();
    assert!(error.message.contains("does not continue"), "{error}");
}

#[test]
fn lines_that_are_none_are_named() {
    for (text, expected) in [
        ("w(1,2,3,4)\nx(1,2,3,4)\n", "line 2, column 1: this should be r(key"),
        ("w 1 2\nw 1\n", "line 2, column 1: this should be r or w"),
    ] {
        let error = read(text.as_bytes(), "a.txt", &Options::default()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

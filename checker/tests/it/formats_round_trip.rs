//! What is written in a format and read again is the same, as far as the format can hold it; the rest is
//! refused by name, or said in another way that means the same.

use formats::{Format, Options, read, write};
use history::{Event, FORMAT_VERSION, Header, Kind, Phase, Process};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;

fn header() -> Header {
    Header {
        history: FORMAT_VERSION,
        spec: "doc".into(),
        variant: "main".into(),
        model: "kv".into(),
        seed: 3,
        started: "2026-11-23T10:00:00Z".into(),
        initial: None,
        converted: None,
    }
}

/// What one client does next: invoke, or complete what it has open.
#[derive(Debug, Clone)]
struct Step {
    client: usize,
    f: usize,
    key: usize,
    value: Value,
    other: Value,
    end: usize,
    error: String,
    extras: bool,
    nanoseconds: u64,
}

/// How a format holds a history.
#[derive(Clone, Copy)]
struct Shape {
    fs: &'static [&'static str],
    keys: &'static [&'static str],
    /// Kinds of completions, as often as they should come; `Invoke` stands for none at all.
    ends: &'static [Kind],
    /// Whether events have real times and the fields of ours; otherwise they are counted.
    ours: bool,
    /// Makes the value and the error of an event what the format can hold.
    fit: fn(&mut Event, &Event),
}

fn events(steps: &[Step], shape: Shape) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut open: HashMap<usize, Event> = HashMap::new();
    let mut processes: Vec<u64> = (0..4).collect();
    let mut time = 0;
    for step in steps {
        time += if shape.ours { 1 + step.nanoseconds } else { u64::from(!events.is_empty()) };
        let process = Process::Client(processes[step.client]);
        let mut event = match open.remove(&step.client) {
            None => {
                let mut event = Event::new(process, Kind::Invoke, shape.fs[step.f % shape.fs.len()]);
                event.key = shape.keys.get(step.key % shape.keys.len().max(1)).map(|&key| key.to_owned());
                event.value = step.value.clone();
                if shape.ours && step.extras {
                    event.client = Some(7);
                    event.node = Some("n1".into());
                    event.intended = Some(step.nanoseconds);
                    event.phase = Some(Phase::Recovery);
                }
                event
            }
            Some(invoked) => {
                let kind = shape.ends[step.end % shape.ends.len()];
                if matches!(kind, Kind::Info | Kind::Invoke) {
                    processes[step.client] += 4;
                }
                if kind == Kind::Invoke {
                    time -= u64::from(!shape.ours);
                    continue;
                }
                let mut event = Event::new(process, kind, invoked.f.clone());
                event.key.clone_from(&invoked.key);
                event.value = step.other.clone();
                event.error = (kind != Kind::Ok).then(|| step.error.clone());
                event.actual = (kind == Kind::Fail && step.extras).then(|| step.value.clone());
                (shape.fit)(&mut event, &invoked);
                event.time = time;
                events.push(event);
                continue;
            }
        };
        let invoked = event.clone();
        (shape.fit)(&mut event, &invoked);
        event.time = time;
        open.insert(step.client, event.clone());
        events.push(event);
    }
    events
}

fn json_value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Whole ones are read as integers.
        (-2000_i32..2000).prop_map(|quarters| Value::from(f64::from(2 * quarters + 1) / 8.0)),
        ":?[a-z/\"\\\\ \n\u{1}é𝄞]{0,4}".prop_map(Value::from),
        prop_oneof![Just("r"), Just("append"), Just(":w"), Just("1")].prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(":?[a-z0-9 ]{0,3}", inner, 0..3)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
    .boxed()
}

fn number() -> BoxedStrategy<Value> {
    (0_u64..6).prop_map(Value::from).boxed()
}

fn text() -> BoxedStrategy<Value> {
    "[a-z\"\\\\ \né][a-z: ]{0,3}".prop_map(Value::from).boxed()
}

fn steps(value: BoxedStrategy<Value>) -> impl Strategy<Value = Vec<Step>> {
    let step = (
        (0_usize..4, any::<usize>(), any::<usize>(), any::<usize>()),
        (value.clone(), value),
        "[a-z][a-z -]{0,5}",
        any::<bool>(),
        0_u64..1000,
    )
        .prop_map(|((client, f, key, end), (value, other), error, extras, nanoseconds)| Step {
            client,
            f,
            key,
            value,
            other,
            end,
            error,
            extras,
            nanoseconds,
        });
    proptest::collection::vec(step, 0..24)
}

/// Reads that never completed say nothing, and are left out where a format has no word for them.
fn without_open_reads(mut events: Vec<Event>) -> Vec<Event> {
    let operations = history::pair(&events).expect("the steps are those of processes");
    let open = |o: &&history::Operation| o.f == "get" && o.completed.is_none();
    let open: Vec<usize> = operations.iter().filter(open).map(|operation| operation.invoked).collect();
    let mut indexes = 0..;
    events.retain(|_| indexes.next().is_some_and(|index: usize| !open.contains(&index)));
    events
}

#[track_caller]
fn assert_round_trip(events: &[Event], format: Format, options: &Options) {
    let written = write(events, &header(), format).unwrap_or_else(|error| panic!("{error}\n{events:#?}"));
    let options = Options { format: Some(format), ..options.clone() };
    let back = match read(&written, "", &options) {
        Ok(back) => back,
        Err(_) if events.is_empty() => return,
        Err(error) => panic!("{error}\n{}", String::from_utf8_lossy(&written)),
    };
    assert_eq!(back.events(), events, "{}", String::from_utf8_lossy(&written));
    let again = write(&back.events(), &header(), format).expect("what was read can be written");
    assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&written));
}

const ALL: [Kind; 4] = [Kind::Ok, Kind::Fail, Kind::Info, Kind::Invoke];
const PLAIN: Shape =
    Shape { fs: &["read", "txn", "odd name"], keys: &[], ends: &ALL, ours: true, fit: |_, _| {} };
const KEYED: Shape = Shape { keys: &["k1", "3", "x y", ":a", ""], ..PLAIN };

proptest! {
    #[test]
    fn our_history_holds_everything(steps in steps(json_value())) {
        for shape in [PLAIN, KEYED] {
            assert_round_trip(&events(&steps, shape), Format::History, &Options::default());
        }
    }

    #[test]
    fn edn_and_elle_json_hold_every_value_with_and_without_keys(steps in steps(json_value())) {
        for (shape, independent) in [(PLAIN, false), (KEYED, true)] {
            let options = Options { independent: Some(independent), ..Options::default() };
            let events = events(&steps, shape);
            assert_round_trip(&events, Format::JepsenEdn, &options);
            assert_round_trip(&events, Format::ElleJson, &options);
        }
    }

    #[test]
    fn the_table_of_operations_holds_all_but_values_that_say_nothing(steps in steps(json_value())) {
        let fit = |event: &mut Event, _: &Event| match event.kind {
            Kind::Fail | Kind::Info => event.value = Value::Null,
            Kind::Invoke | Kind::Ok => {}
        };
        for shape in [Shape { fit, ..PLAIN }, Shape { fit, keys: &["k1", "3", "x,\"y\"\r\n"], ..PLAIN }] {
            assert_round_trip(&events(&steps, shape), Format::OperationsCsv, &Options::default());
        }
    }

    #[test]
    fn jepsen_logs_hold_registers(steps in steps(number())) {
        let fit = |event: &mut Event, invoked: &Event| {
            event.actual = None;
            match (event.kind, event.f.as_str()) {
                (Kind::Invoke, "cas") => event.value = json!([event.value, event.value]),
                (Kind::Invoke, "read") => event.value = Value::Null,
                (Kind::Info, _) | (Kind::Fail, "read") => {
                    event.value = Value::Null;
                    event.error = Some("timed-out".into());
                }
                (Kind::Fail, "cas") => {
                    event.value = invoked.value.clone();
                    event.error = Some("precondition".into());
                }
                (Kind::Ok, "cas" | "write") => event.value = invoked.value.clone(),
                (Kind::Invoke | Kind::Ok | Kind::Fail, _) => {}
            }
        };
        let registers = Shape { fs: &["read", "cas"], keys: &[], ends: &ALL, ours: false, fit };
        assert_round_trip(&events(&steps, registers), Format::JepsenLog, &Options::default());
        let writes = Shape { fs: &["read", "cas", "write"], ends: &[Kind::Ok, Kind::Info], ..registers };
        assert_round_trip(&events(&steps, writes), Format::JepsenLog, &Options::default());
    }

    #[test]
    fn porcupine_kv_lines_hold_texts(steps in steps(text())) {
        let fit = |event: &mut Event, invoked: &Event| match event.f.as_str() {
            "get" if event.kind == Kind::Invoke => event.value = Value::Null,
            "get" => {}
            _ => event.value = invoked.value.clone(),
        };
        let kv = Shape { fs: &["get", "put", "append"], keys: &["0", "1"], ends: &[Kind::Ok], ours: false, fit };
        let mut complete = without_open_reads(events(&steps, kv));
        for (time, event) in complete.iter_mut().enumerate() {
            event.time = time as u64;
        }
        assert_round_trip(&complete, Format::PorcupineKv, &Options::default());
    }

    #[test]
    fn etcd_operations_hold_texts_with_their_times(steps in steps(text())) {
        let fit = |event: &mut Event, invoked: &Event| {
            (event.node, event.intended, event.phase, event.client) = (None, None, None, None);
            match (event.kind, event.f.as_str()) {
                (Kind::Invoke, "put") | (Kind::Ok, "get") => {}
                (Kind::Ok, "put") => event.value = invoked.value.clone(),
                _ => event.value = Value::Null,
            }
            if let (Kind::Invoke, Process::Client(process)) = (event.kind, event.process) {
                event.client = u32::try_from(process).ok();
            }
        };
        let ends = &[Kind::Ok, Kind::Ok, Kind::Invoke];
        let etcd = Shape { fs: &["put", "get", "delete"], keys: &["a", "b"], ends, ours: true, fit };
        assert_round_trip(&without_open_reads(events(&steps, etcd)), Format::EtcdJson, &Options::default());
    }
}

fn client(process: u64, kind: Kind, f: &str, value: Value) -> Event {
    let mut event = Event::new(Process::Client(process), kind, f);
    event.value = value;
    event
}

/// A compare-and-set that found 3, a write that failed, and a read that timed out.
fn failures(key: Option<&str>) -> Vec<Event> {
    let mut events = vec![
        client(0, Kind::Invoke, "cas", json!([1, 2])),
        client(0, Kind::Fail, "cas", json!([1, 2])),
        client(1, Kind::Invoke, "write", json!(5)),
        client(1, Kind::Fail, "write", json!(5)),
        client(2, Kind::Invoke, "read", Value::Null),
        client(2, Kind::Info, "read", Value::Null),
    ];
    events[1].error = Some("precondition".into());
    events[1].actual = Some(json!(3));
    events[3].error = Some("unavailable".into());
    events[5].error = Some("timeout".into());
    for event in &mut events {
        event.key = key.map(str::to_owned);
    }
    events
}

#[test]
fn what_a_format_has_no_word_for_is_said_in_another_way_that_means_the_same() {
    let text =
        |events: &[Event], format| String::from_utf8(write(events, &header(), format).unwrap()).unwrap();
    assert_eq!(
        text(&failures(None), Format::JepsenLog),
        "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t3\n\
         INFO  jepsen.util - 2\t:invoke\t:read\tnil\nINFO  jepsen.util - 2\t:info\t:read\t:timed-out\n"
    );
    assert_eq!(
        text(&failures(Some("k")), Format::PorcupineKv),
        "{:process 0, :type :invoke, :f :get, :key \"k\", :value nil}\n\
         {:process 0, :type :ok, :f :get, :key \"k\", :value \"3\"}\n"
    );
    let etcd = text(&failures(Some("k")), Format::EtcdJson);
    let back = read(etcd.as_bytes(), "operations.json", &Options::default()).unwrap();
    assert_eq!(back.format, Format::EtcdJson);
    let events = back.events();
    let found: Vec<_> = events.iter().map(|event| (event.f.as_str(), event.value.clone())).collect();
    assert_eq!(found, [("get", Value::Null), ("get", json!("3"))]);
}

#[test]
fn what_a_format_cannot_express_is_refused_by_name() {
    let write_one = |f: &str, value: Value, key: Option<&str>, format| {
        let mut event = client(0, Kind::Invoke, f, value);
        event.key = key.map(str::to_owned);
        write(&[event], &header(), format).unwrap_err().to_string()
    };
    for (f, value, key, format, expected) in [
        (
            "write",
            json!(1),
            Some("k"),
            Format::JepsenLog,
            "jepsen-log cannot hold this history: event 0: it has no keys",
        ),
        ("write", json!(-1), None, Format::JepsenLog, "the value -1 is not a whole number"),
        ("append", json!(1), None, Format::JepsenLog, "but no append"),
        ("cas", json!([null, 1]), None, Format::JepsenLog, "the value null is not a whole number"),
        ("cas", json!(["a", "b"]), Some("k"), Format::PorcupineKv, "but no cas"),
        ("put", json!("a"), None, Format::PorcupineKv, "every operation needs a key"),
        ("put", json!(""), Some("k"), Format::PorcupineKv, "the empty text means that the key is absent"),
        ("put", json!(["a"]), Some("k"), Format::PorcupineKv, "the value [\"a\"] is no text"),
        ("append", json!("a"), Some("k"), Format::EtcdJson, "but no append by value"),
        ("cas", json!(["a", "b"]), Some("k"), Format::EtcdJson, "but no cas by value"),
        ("read", json!(null), Some(""), Format::OperationsCsv, "reads like none at all"),
        (":read", json!(null), None, Format::JepsenEdn, "\":read\" would be read without its colon"),
    ] {
        let error = write_one(f, value, key, format);
        assert!(error.contains(expected) && error.starts_with(format.name()), "{error}");
    }
    let mixed = [client(0, Kind::Invoke, "put", json!("1")), client(1, Kind::Invoke, "put", json!(1))];
    let mixed = mixed.map(|event| Event { key: Some("k".into()), ..event });
    let error = write(&mixed, &header(), Format::PorcupineKv).unwrap_err();
    assert_eq!((error.event, error.format), (Some(1), Format::PorcupineKv));
    assert!(error.message.contains("some values are numbers and some are texts"), "{error}");
    let some_keys = [failures(None), failures(Some("k"))].concat();
    assert!(write(&some_keys, &header(), Format::JepsenEdn).unwrap_err().message.contains("some have none"));
    let twice = [client(0, Kind::Invoke, "read", Value::Null), client(0, Kind::Invoke, "read", Value::Null)];
    assert!(write(&twice, &header(), Format::JepsenLog).unwrap_err().message.contains("still open"));
}

#[test]
fn events_of_the_nemesis_are_kept_where_there_is_a_place_for_them() {
    let mut events = failures(None);
    events
        .insert(2, Event { value: json!({"fault": 1}), ..Event::new(Process::Nemesis, Kind::Info, "kill") });
    let text = |format| String::from_utf8(write(&events, &header(), format).unwrap()).unwrap();
    assert!(text(Format::JepsenEdn).contains(":type :info, :process :nemesis, :f :kill, :value {:fault 1}"));
    assert!(
        text(Format::ElleJson)
            .contains(r#""type":"info","process":"nemesis","f":"kill","value":{"fault":1}"#)
    );
    for format in [Format::JepsenLog, Format::OperationsCsv] {
        assert!(!text(format).contains("kill"));
    }
}

//! Run folders that look like real ones, made up from a seed: several variants, faults with outages, nodes
//! that restart, leaders that preempt each other.

use crate::{CheckPlan, FaultPlan, Load, PhaseSpan, Plan, VariantPlan};
use history::{Event, Header, Kind, Phase, Process, write_event, write_header};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1000 * MS;

/// What a made-up variant is like.
#[derive(Clone)]
pub(crate) struct Made {
    pub name: &'static str,
    pub backoff: Option<&'static str>,
    /// Operations a second.
    pub rate: f64,
    /// Length of the load; warm-up, recovery and final reads come on top.
    pub load: u64,
    /// Typical latency.
    pub latency_ms: f64,
    /// Share of the time in which the leaders only preempt each other.
    pub livelock: f64,
    /// When a kill starts and ends, after the load's start.
    pub kills: Vec<(u64, u64)>,
    /// How long after a kill nothing is answered.
    pub outage: u64,
}

impl Made {
    pub(crate) fn sound(name: &'static str) -> Self {
        Self {
            name,
            backoff: None,
            rate: 500.0,
            load: 10 * SECOND,
            latency_ms: 3.0,
            livelock: 0.0,
            kills: vec![(3 * SECOND, 5 * SECOND)],
            outage: 800 * MS,
        }
    }
}

pub(crate) fn backoff_study() -> [Made; 3] {
    let none =
        Made { backoff: Some("none"), latency_ms: 120.0, livelock: 0.72, ..Made::sound("backoff-off") };
    let exponential = Made { backoff: Some("exponential"), ..Made::sound("exponential") };
    let aimd = Made { backoff: Some("aimd"), latency_ms: 5.0, livelock: 0.08, ..Made::sound("aimd") };
    [none, exponential, aimd]
}

pub(crate) fn plan(spec: &str, variants: &[Made]) -> Plan {
    let faults = |made: &Made| {
        made.kills
            .iter()
            .zip(1..)
            .map(|((start, end), fault)| FaultPlan {
                fault,
                kind: "kill".into(),
                label: "kill leader".into(),
                target: "leader".into(),
                nodes: None,
                start: Some(*start),
                end: Some(*end),
                when: None,
                remark: None,
            })
            .collect()
    };
    let variant = |made: &Made| VariantPlan {
        opening: None,
        name: made.name.into(),
        of: None,
        round: None,
        model: "register".into(),
        system: "paxos".into(),
        network: "proxy".into(),
        nodes: ["n1", "n2", "n3"].map(String::from).to_vec(),
        spares: Vec::new(),
        replicas: ["n1", "n2", "n3"].map(String::from).to_vec(),
        clients: 10,
        rate: Some(made.rate),
        route: None,
        minimum_rate: 1.0,
        keys: 8,
        described: false,
        functions: Vec::new(),
        timeout: Some(Duration::from_secs(1)),
        client_seeds: (0..10).collect(),
        backoff: made.backoff.map(String::from),
        disk: None,
        check: CheckPlan {
            availability: None,
            linearizable: true,
            timeout: Duration::from_secs(60),
            promise: None,
            agreement: true,
            unobserved: 0.0,
            never: Vec::new(),
            sometimes: Vec::new(),
            digest: false,
        },
        faults: faults(made),
    };
    Plan {
        bench: "0.1.0".into(),
        spec: spec.into(),
        about: "Leaders that compete for every slot: first without backoff, then with it.".into(),
        seed: 42,
        started: "2026-11-23T10:00:00Z".into(),
        machine: "2 cores, Linux 6.18".into(),
        again: String::new(),
        variants: variants.iter().map(variant).collect(),
    }
}

/// Writes a whole run folder.
pub(crate) fn write_run(dir: &Path, spec: &str, variants: &[Made]) {
    let plan = plan(spec, variants);
    std::fs::write(dir.join("plan.json"), serde_json::to_vec_pretty(&plan).unwrap()).unwrap();
    for (made, planned) in variants.iter().zip(&plan.variants) {
        let folder = dir.join(made.name);
        std::fs::create_dir_all(&folder).unwrap();
        write_variant(&folder, spec, made, planned);
    }
}

fn write_variant(folder: &Path, spec: &str, made: &Made, plan: &VariantPlan) {
    let warmup = 500 * MS;
    let recovery = (made.load / 3).min(5 * SECOND);
    let ends = [
        warmup,
        warmup + made.load,
        warmup + made.load + recovery,
        warmup + made.load + recovery + SECOND / 2,
    ];
    let phases = [Phase::Warmup, Phase::Load, Phase::Recovery, Phase::Final];
    let spans: Vec<PhaseSpan> = phases
        .iter()
        .enumerate()
        .map(|(index, phase)| PhaseSpan {
            phase: *phase,
            start: if index == 0 { 0 } else { ends[index - 1] },
            end: ends[index],
            unsent: 0,
        })
        .collect();
    let events = events(made, &spans);
    let header = Header {
        history: 1,
        spec: spec.into(),
        variant: made.name.into(),
        model: plan.model.clone(),
        seed: 42,
        started: "2026-11-23T10:00:00Z".into(),
        initial: None,
        converted: None,
    };
    let mut file = Vec::new();
    write_header(&mut file, &header).unwrap();
    for event in &events {
        write_event(&mut file, event).unwrap();
    }
    std::fs::write(folder.join("history.jsonl"), file).unwrap();
    let load = Load { phases: spans.clone(), complete: true, ..Load::default() };
    std::fs::write(folder.join("load.json"), serde_json::to_vec(&load).unwrap()).unwrap();
    std::fs::write(folder.join("samples.csv"), samples(made, &spans)).unwrap();
    for node in &plan.nodes {
        let node = folder.join("nodes").join(node);
        std::fs::create_dir_all(&node).unwrap();
        let mut decisions = String::new();
        for slot in 1..=200 {
            writeln!(decisions, "{}", json!({"slot": slot, "command": {"client": "c1", "sequence": slot}}))
                .unwrap();
        }
        std::fs::write(node.join("decisions.jsonl"), decisions).unwrap();
    }
}

/// Whether the leaders of a variant only preempt each other at a time: in stretches of about a second.
fn stuck(made: &Made, time: u64) -> bool {
    let stretch = time / (1300 * MS);
    let dice = (stretch.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 1000;
    (dice as f64) < made.livelock * 1000.0
}

/// When the answer to an operation that is due comes: later than in an outage, never while stuck.
fn answer_at(made: &Made, load_start: u64, due: u64, took: u64) -> u64 {
    let mut answer = due + took;
    for (start, _) in &made.kills {
        let (from, to) = (load_start + start, load_start + start + made.outage);
        if answer > from && due < to {
            answer = answer.max(to + took);
        }
    }
    while stuck(made, answer) {
        answer += 50 * MS;
    }
    answer
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made-up times are small")]
fn events(made: &Made, spans: &[PhaseSpan]) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(made.rate as u64 + made.load);
    let mut events = Vec::new();
    let mut process = 0;
    let load_start = spans[1].start;
    let mut value = 0;
    let mut due = 0.0;
    while (due as u64) < spans[3].end - 400 * MS {
        let gap: f64 = rng.random::<f64>().max(1e-9);
        due += -gap.ln() * 1e9 / made.rate;
        let intended = due as u64;
        let phase = spans.iter().find(|span| intended < span.end).map_or(Phase::Final, |span| span.phase);
        let dice: f64 = rng.random();
        let took =
            made.latency_ms * 1e6 * (0.4 + dice * dice * 1.2 + if dice > 0.985 { 12.0 * dice } else { 0.0 });
        let answer = answer_at(made, load_start, intended, took as u64);
        let sent = intended + 30_000 + (answer - intended).saturating_sub(took as u64) / 3;
        process += 1;
        let key = format!("k{process}");
        value += 1;
        let f = if process % 2 == 0 { "write" } else { "read" };
        let mut invoke = Event::new(Process::Client(process), Kind::Invoke, f);
        invoke.time = sent;
        invoke.key = Some(key.clone());
        invoke.client = Some(u32::try_from(process % 10).unwrap());
        invoke.node = Some(format!("n{}", process % 3 + 1));
        invoke.intended = Some(intended);
        invoke.phase = Some(phase);
        invoke.value = if f == "write" { json!(value) } else { Value::Null };
        let late = answer - sent > SECOND;
        let refused = !late && answer - intended > 300 * MS && process % 5 == 0;
        let kind = if late {
            Kind::Info
        } else if refused {
            Kind::Fail
        } else {
            Kind::Ok
        };
        let mut done = Event::new(Process::Client(process), kind, f);
        done.time = if late { sent + SECOND + process % 7 * MS } else { answer.max(sent + 1000) };
        done.key = Some(key);
        done.value = invoke.value.clone();
        done.error = match kind {
            Kind::Info => Some("timeout".into()),
            Kind::Fail => Some("unavailable".into()),
            Kind::Ok | Kind::Invoke => None,
        };
        events.extend([invoke, done]);
    }
    for ((start, end), fault) in made.kills.iter().zip(1_u64..) {
        for (event, time) in [("start", load_start + start), ("end", load_start + end)] {
            let mut note = Event::new(Process::Nemesis, Kind::Info, "kill");
            note.time = time + 2 * MS;
            note.value = json!({"fault": fault, "event": event, "targets": ["n2"], "planned": time,
                "evidence": [if event == "start" { "pid 4711 ended by signal 9" } else { "pid 4802, incarnation 2" }],
                "label": "kill leader (n2)"});
            events.push(note);
        }
    }
    let written = events.iter().filter(|event| event.kind != Kind::Invoke && event.f == "write");
    let reads: Vec<Event> = (process + 1..)
        .zip(written.filter(|event| event.kind != Kind::Fail))
        .flat_map(|(process, write)| final_read(process, write, spans[3].end))
        .collect();
    events.extend(reads);
    events.sort_by_key(|event| event.time);
    events
}

/// A read of what a write wrote, after everything else.
fn final_read(process: u64, write: &Event, end: u64) -> [Event; 2] {
    let mut invoke = Event::new(Process::Client(process), Kind::Invoke, "read");
    let node = format!("n{}", process % 3 + 1);
    (invoke.key, invoke.phase, invoke.node) = (write.key.clone(), Some(Phase::Final), Some(node));
    invoke.client = Some(u32::try_from(process % 10).unwrap());
    let mut done = Event::new(Process::Client(process), Kind::Ok, "read");
    (done.key, done.value) = (write.key.clone(), write.value.clone());
    (invoke.time, done.time) = (end + process * 1000, end + process * 1000 + 500);
    [invoke, done]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made-up counters are small")]
fn samples(made: &Made, spans: &[PhaseSpan]) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut text = "time_ns,node,up,pid,active,round,leader,slot_in,slot_out,preemptions,adoptions,backoff_ms,log_bytes\n".to_owned();
    let (mut slot, mut preempted, mut adopted) = (1.0, [0.0; 3], [0.0; 3]);
    let mut time = 0;
    while time < spans[3].end {
        let stuck = stuck(made, time);
        let in_outage = made
            .kills
            .iter()
            .any(|(start, _)| (spans[1].start + start..spans[1].start + start + made.outage).contains(&time));
        if !stuck && !in_outage {
            slot += made.rate * 0.1 * (0.8 + 0.4 * rng.random::<f64>());
        }
        for node in 0..3 {
            let fight = if stuck { 90.0 } else { 20.0 * made.livelock + 0.05 };
            preempted[node] += fight * 0.1 * rng.random::<f64>() * 2.0;
            adopted[node] += (fight * 0.04 + 0.03) * rng.random::<f64>();
            let dead = node == 1
                && made
                    .kills
                    .iter()
                    .any(|(start, end)| (spans[1].start + start..spans[1].start + end).contains(&time));
            let restarted = made.kills.iter().filter(|(_, end)| spans[1].start + end <= time).count();
            if dead {
                (preempted[node], adopted[node]) = (0.0, 0.0);
                writeln!(text, "{time},n2,false,,,,,,,,,,").unwrap();
                continue;
            }
            let pid = 4700 + node + if node == 1 { restarted * 100 } else { 0 };
            let (name, out) = (node + 1, slot as u64);
            let (preempted, adopted) = (preempted[node] as u64, adopted[node] as u64);
            writeln!(
                text,
                "{time},n{name},true,{pid},true,{preempted},n1,{out},{out},{preempted},{adopted},10,{out}"
            )
            .unwrap();
        }
        time += 100 * MS;
    }
    text
}

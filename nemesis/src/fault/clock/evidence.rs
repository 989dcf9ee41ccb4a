//! Starts and ends faults of clocks; the evidence is each node's own clock, read back.

use crate::clock::{ClockFault, Reading, true_ns};
use crate::fault::proof::Proof;
use crate::fault::stage::{OnClocks, Stage, State, Strike};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// Longest time to read a clock until it shows a fault, or shows that it is true again.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(3);
/// Shortest time between two readings from which a speed is computed.
const WATCH: i64 = 50_000_000;
/// Largest offset of a true clock, besides the error of the reading.
const SLACK: i64 = 2_000_000;

/// Reads the clocks of these nodes.
async fn readings(stage: &Stage, nodes: &[String]) -> OnClocks {
    let read = join_all(nodes.iter().map(|node| read(stage, node))).await;
    nodes.iter().cloned().zip(read.into_iter().map(Result::ok)).collect()
}

/// Reads a node's clock, through the node or through its vDSO.
async fn read(stage: &Stage, node: &str) -> Result<Reading, String> {
    if !stage.testbed.could_answer(node).await {
        return Err(format!("{node} is down or paused"));
    }
    if let Some(reading) = stage.testbed.read_clock(node).await.map_err(|error| error.to_string())? {
        return Ok(reading);
    }
    let earliest = true_ns();
    let says = stage.directory.clock(node).await;
    let latest = true_ns();
    says.map(|says| Reading { says, earliest, latest })
        .ok_or_else(|| format!("{node} does not report its clock"))
}

/// Starts a fault of the clocks, and reads each clock until it shows the fault or the fault ends.
pub(super) async fn start(strike: &Strike<'_>, fault: ClockFault, state: &mut State) -> (u64, Proof) {
    let testbed = strike.testbed();
    state.clocks = readings(strike.stage, strike.nodes()).await;
    let before = &state.clocks;
    let applied = join_all(before.keys().map(|node| testbed.apply_clock(node, strike.claim, fault))).await;
    let at = strike.now_ns();
    let deadline = Instant::now() + PATIENCE.min(strike.length);
    let failed = applied.into_iter().filter_map(Result::err).map(|error| error.to_string());
    let mut proof = Proof { notes: failed.collect(), complete: true, ..Proof::default() };
    let shown =
        join_all(before.iter().map(|(node, before)| show(strike.stage, node, fault, *before, deadline)))
            .await;
    for (node, shown) in before.keys().zip(shown) {
        match shown {
            Ok(line) => proof.evidence.push(format!("{node}: {line}")),
            Err(reason) => proof.notes.push(reason),
        }
    }
    (at, proof)
}

/// Reads a clock until it shows the fault.
async fn show(
    stage: &Stage,
    node: &str,
    fault: ClockFault,
    before: Option<Reading>,
    deadline: Instant,
) -> Result<String, String> {
    let mut seen = Vec::new();
    let mut last = format!("{node}: its clock was not read");
    loop {
        match read(stage, node).await {
            Ok(reading) => {
                seen.push(reading);
                match judge(fault, before, &seen) {
                    Ok(line) => return Ok(line),
                    Err(line) => last = format!("{node}: no proof, as {line}"),
                }
            }
            Err(reason) => last = reason,
        }
        if Instant::now() >= deadline {
            return Err(last);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the readings show the fault; a sentence in either case.
fn judge(fault: ClockFault, before: Option<Reading>, seen: &[Reading]) -> Result<String, String> {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        return Err("its clock was not read".to_owned());
    };
    let was = before.map_or(0, Reading::ahead);
    let moved = |reading: &Reading| reading.ahead() - was;
    match fault {
        ClockFault::Jump { by } => {
            let line = format!("its clock says {}, {}", date(last.says), off(last.ahead()));
            if is_near(moved(last), by, last.doubt()) { Ok(line) } else { Err(line) }
        }
        ClockFault::Strobe { by, .. } => {
            let there = seen.iter().filter(|reading| is_near(moved(reading), by, reading.doubt())).count();
            let line = format!("its clock was {} in {there} of {} readings", off(was + by), seen.len());
            let both = there > 0 && seen.iter().any(|reading| moved(reading).abs() < by.abs() / 2);
            if both { Ok(line) } else { Err(line) }
        }
        ClockFault::Drift { .. } | ClockFault::Freeze => {
            let (went, passed) = (last.says - first.says, last.at() - first.at());
            let line = format!("its clock went {} while {} passed", seconds(went), seconds(passed));
            let wanted = (fault.speed() - 1.0) * passed as f64;
            let gained = (went - passed) as f64;
            let doubt = (first.doubt() + last.doubt()) as f64;
            let shown = passed >= WATCH && gained / wanted > 0.5 && gained.abs() > 2.0 * doubt;
            if shown { Ok(line) } else { Err(line) }
        }
    }
}

fn is_near(moved: i64, by: i64, doubt: i64) -> bool {
    (moved - by).abs() < by.abs() / 2 && moved.abs() > doubt
}

/// Ends a fault of the clocks, and reads each clock without another fault until it is true again.
pub(super) async fn end(strike: &Strike<'_>) -> (u64, Proof) {
    let (stage, nodes, claim) = (strike.stage, strike.nodes(), strike.claim);
    let until = readings(stage, nodes).await;
    let released = join_all(nodes.iter().map(|node| stage.testbed.release_clock(node, claim))).await;
    let at = stage.recorder.now_ns();
    let mut proof = Proof { complete: true, ..Proof::default() };
    for error in released.into_iter().filter_map(Result::err) {
        proof.complete = false;
        proof.notes.push(error.to_string());
    }
    let again = join_all(nodes.iter().map(|node| is_true(stage, node))).await;
    for ((node, until), again) in until.into_iter().zip(again) {
        let until =
            until.map_or(String::new(), |reading| format!("its clock was {}, and ", off(reading.ahead())));
        match again {
            Again::True(line) => proof.evidence.push(format!("{node}: {until}{line}")),
            Again::NotAsked(reason) => proof.notes.push(reason),
            Again::Wrong(line) => {
                proof.complete = false;
                proof.notes.push(format!("{node}: {until}{line}"));
            }
        }
    }
    (at, proof)
}

enum Again {
    True(String),
    Wrong(String),
    NotAsked(String),
}

async fn is_true(stage: &Stage, node: &str) -> Again {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if stage.testbed.faults_on_clock(node).await > 0 {
            return Again::NotAsked(format!("{node}: another fault is on its clock"));
        }
        match read(stage, node).await {
            Ok(reading) if reading.ahead().abs() <= reading.doubt() + SLACK => {
                return Again::True(format!("is {}", right(reading)));
            }
            Ok(reading) if Instant::now() >= deadline => {
                return Again::Wrong(format!("is still {}", off(reading.ahead())));
            }
            Err(reason) if Instant::now() >= deadline => return Again::NotAsked(reason),
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// `2026-11-23T12:00:00.123Z`.
fn date(ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ns))
        .map_or_else(|_| format!("{ns} ns"), |time| format!("{time:.3}"))
}

/// `true to 3 ms`: the largest offset that a true clock may have, with the error of its reading.
fn right(reading: Reading) -> String {
    format!(
        "true to {} ms",
        (reading.ahead().unsigned_abs() + reading.doubt().unsigned_abs()).div_ceil(1_000_000)
    )
}

/// `3600.000 s ahead`, `0.250 s behind`, `true to 1 ms`.
fn off(ahead: i64) -> String {
    match ahead {
        -1_000_000..=1_000_000 => "true to 1 ms".to_owned(),
        ahead if ahead > 0 => format!("{} ahead", seconds(ahead)),
        ahead => format!("{} behind", seconds(-ahead)),
    }
}

fn seconds(ns: i64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn true_clock_includes_error_of_reading() {
        let slow = Reading { says: 5 * MS, earliest: 0, latest: 7 * MS };
        assert_eq!(right(slow), "true to 6 ms");
        assert_eq!(right(Reading { says: 10, earliest: 0, latest: 20 }), "true to 1 ms");
    }

    /// A reading that took a millisecond, of a clock with this offset.
    fn reading(at: i64, ahead: i64) -> Reading {
        Reading { says: at + ahead, earliest: at - MS / 2, latest: at + MS / 2 }
    }

    #[test]
    fn one_reading_shows_a_jump() {
        let jump = ClockFault::Jump { by: 1000 * MS };
        let line = judge(jump, None, &[reading(5 * MS, 1000 * MS)]).unwrap();
        assert!(line.ends_with("1.000 s ahead"), "{line}");
        assert!(judge(jump, None, &[reading(5 * MS, 0)]).is_err());
        assert!(judge(jump, Some(reading(0, 1000 * MS)), &[reading(5 * MS, 1000 * MS)]).is_err());
        let back = ClockFault::Jump { by: -1000 * MS };
        assert!(judge(back, None, &[reading(5 * MS, -1000 * MS)]).unwrap().ends_with("behind"));
    }

    #[test]
    fn strobe_and_speed_need_two_readings() {
        let strobe = ClockFault::Strobe { by: 100 * MS, period: Duration::from_millis(50) };
        assert!(judge(strobe, None, &[reading(0, 100 * MS)]).is_err());
        let line = judge(strobe, None, &[reading(0, 100 * MS), reading(9 * MS, 0)]).unwrap();
        assert!(line.contains("1 of 2 readings"), "{line}");
        let frozen = [reading(0, 0), reading(60 * MS, -60 * MS)];
        assert!(judge(ClockFault::Freeze, None, &frozen).unwrap().contains("went 0.000 s while 0.060 s"));
        assert!(judge(ClockFault::Freeze, None, &frozen[..1]).is_err());
        assert!(judge(ClockFault::drift(2.0), None, &frozen).is_err());
        let slow = ClockFault::drift(1.001);
        assert!(
            judge(slow, None, &[reading(0, 0), reading(60 * MS, MS / 16)]).is_err(),
            "too short to measure"
        );
    }
}

//! When a simulated run was decided: how often it breaks its promise if everything after a moment is drawn anew.
//!
//! *Problem*: a violation shows long after the step that made it unavoidable.
//!
//! *Idea*: a simulated run repeats exactly, so it can be cut at any moment: the same choices before, fresh ones after. The share
//! of such runs that break the promise rises at the steps that bring the violation about. Antithesis shows the same
//! curve from the outside of virtual machines.
//!
//! *Cost*: as many runs as there are moments, times the runs from each.

use super::{Branch, Simulation};
use crate::failure::Failure;
use report::Answer;
use report::curves::{Curves, Panel, Point, draw, wilson};
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often runs broke the promise that were drawn anew from a moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// The moment, since the run's start.
    pub at: Duration,
    /// Runs that broke the promise.
    pub seen: u64,
    /// All runs.
    pub of: u64,
}

/// Draws the rest of a run anew from each of these moments.
///
/// # Errors
/// When a run cannot be judged.
pub(crate) fn moments(
    simulation: &Simulation<'_>,
    seed: u64,
    at: &[Duration],
    runs: u32,
    threads: usize,
) -> Result<Vec<Moment>, Failure> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Result<(usize, bool), Failure>>> = Mutex::default();
    let work = || {
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let moment = turn / runs as usize;
            let Some(&at) = at.get(moment) else { break };
            let branch = Branch { at, seed: turn as u64 };
            let judged = simulation.run(seed, Some(branch)).and_then(super::SimRun::judge);
            let result = judged.map(|verdict| (moment, verdict.answer == Answer::Invalid));
            results.lock().expect("no thread panics with it").push(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    let mut moments: Vec<_> = at.iter().map(|at| Moment { at: *at, seen: 0, of: 0 }).collect();
    for result in results.into_inner().expect("no thread panics with it") {
        let (index, broken) = result?;
        moments[index].of += 1;
        moments[index].seen += u64::from(broken);
    }
    Ok(moments)
}

/// The moment after which the share rose most, with the rise.
pub(crate) fn jump(moments: &[Moment]) -> Option<(Moment, Moment, f64)> {
    let share = |moment: &Moment| moment.seen as f64 / moment.of.max(1) as f64;
    let rises = moments.windows(2).map(|pair| (pair[0], pair[1], share(&pair[1]) - share(&pair[0])));
    rises.max_by(|one, other| one.2.total_cmp(&other.2))
}

/// Writes `cause.csv` and `cause.png`; times count from the start of the load.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn write(
    folder: &Path,
    (spec, seed): (&str, u64),
    (load_start, faults): (Duration, &[(String, Duration, Duration)]),
    moments: &[Moment],
) -> Result<(), Failure> {
    let seconds = |time: Duration| time.as_secs_f64() - load_start.as_secs_f64();
    let mut csv = "seconds,runs,violated,share,low,high\n".to_owned();
    let mut points = Vec::new();
    for Moment { at, seen, of } in moments {
        let (low, high) = wilson(*seen, *of);
        let share = *seen as f64 / (*of).max(1) as f64;
        writeln!(csv, "{:.6},{of},{seen},{share:.4},{low:.4},{high:.4}", seconds(*at))
            .expect("a text takes every line");
        points.push(Point { x: seconds(*at), y: share, interval: Some((low, high)) });
    }
    let path = folder.join("cause.csv");
    std::fs::write(&path, csv).map_err(|error| Failure::io(&path, &error))?;
    let curves = Curves {
        title: format!("{spec}: when it was decided"),
        origin: format!("seed {seed}, virtual time"),
        sentence: "The share of runs that break the promise if everything after a moment is drawn anew"
            .to_owned(),
        x_title: "seconds since the load began".to_owned(),
        spans: faults.iter().map(|(label, from, to)| (label.clone(), seconds(*from), seconds(*to))).collect(),
        names: vec!["share of runs, with 95 % intervals".to_owned()],
        panels: vec![Panel { title: "P(violation)".to_owned(), by_powers: false, curves: vec![points] }],
        ..Curves::default()
    };
    let path = folder.join("cause.png");
    draw(&curves, &path).map_err(|error| Failure::bench(path.display().to_string(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{Moment, jump};
    use std::time::Duration;

    #[test]
    fn the_largest_rise_is_the_jump() {
        let moment = |ms, seen| Moment { at: Duration::from_millis(ms), seen, of: 10 };
        let all = [moment(0, 1), moment(10, 2), moment(20, 9), moment(30, 10)];
        let (before, after, rise) = jump(&all).unwrap();
        assert_eq!((before.at.as_millis(), after.at.as_millis()), (10, 20));
        assert!((rise - 0.7).abs() < 1e-9);
        assert_eq!(jump(&all[..1]), None);
    }
}

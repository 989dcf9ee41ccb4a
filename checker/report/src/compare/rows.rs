//! The figures of one subject on both sides, with their intervals.

use super::blocks::Blocks;
use super::measure::Worse;
use super::side::Group;
use super::{Change, CompareOptions, Measure, Pair, ROUNDS, Row, interval};
use crate::Answer;
use crate::rounds::Spread;
use rand::rngs::ChaCha8Rng;

/// What is drawn again for a pair.
enum Drawn {
    Rounds,
    Blocks(Box<(Blocks, Blocks)>),
    /// Nothing, for this reason.
    Nothing(String),
}

pub(super) fn pair(a: &Group, b: &Group, options: &CompareOptions) -> Pair {
    let rounds = (a.rounds.len(), b.rounds.len());
    let drawn = if interval::enough_rounds(rounds.0, rounds.1, options.confidence) {
        Drawn::Rounds
    } else {
        match (a.blocks(), b.blocks()) {
            (Some(a), Some(b)) => Drawn::Blocks(Box::new((a, b))),
            _ => Drawn::Nothing(few_rounds(options)),
        }
    };
    let rows = match &drawn {
        Drawn::Rounds | Drawn::Nothing(_) => rows_of_rounds(a, b, &drawn, options),
        Drawn::Blocks(blocks) => rows_of_blocks(a, b, blocks, options),
    };
    let broken = |group: &Group| group.rounds.iter().any(|round| round.answer == Some(Answer::Invalid));
    Pair {
        a: a.subject.clone(),
        b: b.subject.clone(),
        rounds,
        answers: (answers(a), answers(b)),
        newly_broken: broken(b) && !broken(a),
        drawn: match &drawn {
            Drawn::Rounds => ROUNDS.to_owned(),
            Drawn::Blocks(blocks) => format!("blocks of {:.2} s", blocks.0.seconds()),
            Drawn::Nothing(_) => "nothing".to_owned(),
        },
        rows,
    }
}

fn few_rounds(options: &CompareOptions) -> String {
    format!("needs {} rounds on both sides", interval::fewest_rounds(options.confidence))
}

fn answers(group: &Group) -> String {
    let all = [Answer::Invalid, Answer::Failed, Answer::Unknown, Answer::Valid];
    let parts = all.into_iter().filter_map(|answer| {
        let count = group.rounds.iter().filter(|round| round.answer == Some(answer)).count();
        (count > 0).then(|| format!("{count} {}", answer.word()))
    });
    let text = parts.collect::<Vec<_>>().join(", ");
    if text.is_empty() { "not judged".to_owned() } else { text }
}

fn rows_of_rounds(a: &Group, b: &Group, drawn: &Drawn, options: &CompareOptions) -> Vec<Row> {
    let row = |measure: Measure| {
        let values = |group: &Group| -> Vec<f64> {
            group.rounds.iter().filter_map(|round| round.figure(measure)).collect()
        };
        let (a, b) = (values(a), values(b));
        let medians = Spread::of(a.iter().copied())?.median.max(0.0);
        let medians = (medians, Spread::of(b.iter().copied())?.median.max(0.0));
        let enough = interval::enough_rounds(a.len(), b.len(), options.confidence);
        let outcome = match drawn {
            Drawn::Nothing(reason) => Err(reason.clone()),
            _ if !enough => Err(few_rounds(options)),
            _ => Ok(interval_of_rounds(measure, &a, &b, options)),
        };
        Some(row(measure, medians, outcome, options))
    };
    Measure::ALL.into_iter().filter_map(row).collect()
}

/// The interval of the ratio of medians over rounds.
pub(super) fn interval_of_rounds(
    measure: Measure,
    a: &[f64],
    b: &[f64],
    options: &CompareOptions,
) -> Option<(f64, f64)> {
    let mut rng = interval::draws(options.seed);
    let ratios = (0..interval::DRAWS).map(|_| {
        let [a, b] = [a, b].map(|values| drawn_median(&mut rng, values));
        measure.floored(b) / measure.floored(a)
    });
    interval::of(ratios.collect(), options.confidence, a.len().min(b.len()))
}

fn drawn_median(rng: &mut ChaCha8Rng, values: &[f64]) -> f64 {
    let drawn = interval::draw(rng, values.len()).map(|index| values[index]);
    Spread::of(drawn).map_or(0.0, |spread| spread.median)
}

fn rows_of_blocks(
    a: &Group,
    b: &Group,
    (of_a, of_b): &(Blocks, Blocks),
    options: &CompareOptions,
) -> Vec<Row> {
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(|it| it.is_of_windows()).collect();
    // Each side has draws of its own.
    let drawn = (of_a.drawn(&measures, options.seed), of_b.drawn(&measures, options.seed.wrapping_add(1)));
    let units = of_a.count().min(of_b.count());
    let row = |measure: Measure| {
        let Some(index) = measures.iter().position(|own| *own == measure) else {
            let median =
                |group: &Group| Spread::of(group.rounds.iter().filter_map(|round| round.figure(measure)));
            let medians = (median(a)?.median, median(b)?.median);
            return Some(row(measure, medians, Err(few_rounds(options)), options));
        };
        // The figure of one round stands in its tables, more exactly than blocks have it.
        let value = |group: &Group, blocks: &Blocks| match group.rounds.as_slice() {
            [only] => only.figure(measure),
            _ => blocks.figure(measure),
        };
        let values = (value(a, of_a)?, value(b, of_b)?);
        let outcome = of_a.too_few(measure).or_else(|| of_b.too_few(measure)).map_or_else(
            || {
                let ratios = drawn.0.iter().zip(&drawn.1);
                let ratios = ratios.filter_map(|(a, b)| Some(b[index]? / a[index]?)).collect();
                Ok(interval::of(ratios, options.confidence, units))
            },
            Err,
        );
        Some(row(measure, values, outcome, options))
    };
    Measure::ALL.into_iter().filter_map(row).collect()
}

fn row(
    figure: Measure,
    (a, b): (f64, f64),
    interval: Result<Option<(f64, f64)>, String>,
    options: &CompareOptions,
) -> Row {
    let base = figure.floored(a);
    let ratio = (base > 0.0).then(|| figure.floored(b) / base);
    let (interval, reason) = match interval {
        Err(reason) => (None, Some(reason)),
        Ok(interval) => match interval.filter(|(low, high)| low.is_finite() && high.is_finite()) {
            Some(interval) => (Some(interval), None),
            None => (None, Some("there is nothing to divide by".to_owned())),
        },
    };
    let change = interval
        .map_or(Change::Unclear, |interval| change(figure.worse(), interval, options.threshold(figure)));
    Row { figure, a, b, ratio, interval, change, reason, required: options.required.contains(&figure) }
}

fn change(worse: Worse, (low, high): (f64, f64), threshold: f64) -> Change {
    let (least, most) = (1.0 - threshold, 1.0 + threshold);
    let within = low >= least && high <= most;
    match worse {
        _ if within => Change::Same,
        Worse::Less if high < least => Change::Worse,
        Worse::Less if low > most => Change::Better,
        Worse::Less if low >= least => Change::NotWorse,
        Worse::More if low > most => Change::Worse,
        Worse::More if high < least => Change::Better,
        Worse::More if high <= most => Change::NotWorse,
        Worse::Less | Worse::More | Worse::Neither => Change::Unclear,
    }
}

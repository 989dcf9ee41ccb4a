//! All sums that can be made of some of many numbers.

/// Steps of the construction that are allowed: about a tenth of a second.
const WORK: usize = 20_000_000;
/// Ranges that are held at once: 32 MB.
const RANGES: usize = 1_000_000;

/// The sums of all choices of some numbers, each taken at most once.
#[derive(Debug)]
pub(super) struct Sums {
    /// The sum of all that are below zero: the least sum.
    least: i128,
    /// All sums are the least one plus a multiple of this; at least 1.
    step: i128,
    /// The sum of all without their signs, in steps.
    width: i128,
    /// Ranges of multiples, both ends included, ascending, with gaps between them; none if there would be too many.
    ranges: Option<Vec<(i128, i128)>>,
}

impl Sums {
    pub(super) fn of(numbers: impl IntoIterator<Item = i128>) -> Self {
        let mut numbers: Vec<i128> = numbers.into_iter().filter(|number| *number != 0).collect();
        let least = numbers.iter().filter(|number| **number < 0).sum();
        // Leaving out what is below zero is like adding it to the least sum without its sign.
        let step = numbers.iter().map(|number| number.abs()).fold(0, common_divisor).max(1);
        for number in &mut numbers {
            *number = number.abs() / step;
        }
        // Small numbers first: they join ranges, so that few remain.
        numbers.sort_unstable();
        Self { least, step, width: numbers.iter().sum(), ranges: ranges(&numbers) }
    }

    /// Whether a number is one of the sums; none if there are too many to tell.
    pub(super) fn contains(&self, number: i128) -> Option<bool> {
        let above = number - self.least;
        let steps = above / self.step;
        if above < 0 || above % self.step != 0 || steps > self.width {
            return Some(false);
        }
        let ranges = self.ranges.as_ref()?;
        let after = ranges.partition_point(|(low, _)| *low <= steps);
        Some(after.checked_sub(1).is_some_and(|index| steps <= ranges[index].1))
    }

    /// The sums in words, each moved by `offset`.
    pub(super) fn in_words(&self, offset: i128) -> String {
        const SHOWN: usize = 6;
        let least = self.least + offset;
        let shown = |(low, high): &(i128, i128)| {
            let [low, high] = [low, high].map(|steps| least + steps * self.step);
            if low == high { low.to_string() } else { format!("{low} to {high}") }
        };
        let whole = [(0, self.width)];
        let ranges = self.ranges.as_deref().unwrap_or(&whole);
        let words = ranges.iter().take(SHOWN).map(shown).collect::<Vec<_>>().join(", ");
        let more = match ranges.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more ranges"),
        };
        let wide = self.step > 1 && ranges.iter().any(|(low, high)| low < high);
        let steps = if wide { format!(" in steps of {}", self.step) } else { String::new() };
        format!("{words}{more}{steps}")
    }
}

fn common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn ranges(numbers: &[i128]) -> Option<Vec<(i128, i128)>> {
    let mut ranges = vec![(0, 0)];
    let mut work = 0;
    for number in numbers {
        work += ranges.len();
        if work > WORK || ranges.len() > RANGES {
            return None;
        }
        ranges = with(&ranges, *number);
    }
    Some(ranges)
}

/// The ranges, and the same moved by `number`, joined where they touch.
fn with(ranges: &[(i128, i128)], number: i128) -> Vec<(i128, i128)> {
    let mut all: Vec<(i128, i128)> = Vec::with_capacity(ranges.len() + 1);
    let mut stay = ranges.iter().copied().peekable();
    let mut move_up = ranges.iter().map(|(low, high)| (low + number, high + number)).peekable();
    loop {
        let next = match (stay.peek(), move_up.peek()) {
            (Some(a), Some(b)) if a <= b => stay.next(),
            (Some(_), None) => stay.next(),
            (_, Some(_)) => move_up.next(),
            (None, None) => return all,
        };
        let Some((low, high)) = next else { return all };
        match all.last_mut() {
            Some(last) if low <= last.1 + 1 => last.1 = last.1.max(high),
            Some(_) | None => all.push((low, high)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_of_nothing_and_of_one_number() {
        let sums = Sums::of([]);
        assert_eq!([-1, 0, 1].map(|number| sums.contains(number)), [Some(false), Some(true), Some(false)]);
        let sums = Sums::of([-3, 0]);
        assert_eq!([-3, -1, 0].map(|number| sums.contains(number)), [Some(true), Some(false), Some(true)]);
        assert_eq!(sums.in_words(10), "7 to 10 in steps of 3");
    }

    #[test]
    fn too_many_sums_are_only_bounded() {
        let sums =
            Sums::of((0..60).map(|bit| 1 << bit).chain((0..60).map(|power| 3_i128.pow(power % 40) * 7)));
        assert!(sums.contains(-1) == Some(false) && sums.contains(1 << 100) == Some(false));
        let sums = Sums::of((0..200).map(|index: i128| 1_000_003 + index * index * 7919));
        assert_eq!(sums.contains(-1), Some(false));
        assert_eq!(sums.contains(100_000_000), None);
    }

    #[test]
    fn ten_thousand_small_numbers_are_no_trouble() {
        let sums = Sums::of((0..10_000).map(|index| index % 10 - 5));
        assert_eq!(sums.contains(-15_000), Some(true));
        assert_eq!(sums.contains(-15_001), Some(false));
        assert_eq!(sums.contains(10_000), Some(true));
    }

    proptest! {
        #[test]
        fn the_sums_are_those_of_all_subsets(numbers in prop::collection::vec(-9_i128..10, 0..8), scale in 1_i128..4) {
            let sums = Sums::of(numbers.iter().map(|number| number * scale));
            for candidate in -250..250 {
                let made = (0..1 << numbers.len()).any(|choice: usize| {
                    let chosen = numbers.iter().enumerate().filter(|(index, _)| choice >> index & 1 == 1);
                    chosen.map(|(_, number)| number * scale).sum::<i128>() == candidate
                });
                prop_assert_eq!(sums.contains(candidate), Some(made));
            }
        }
    }
}

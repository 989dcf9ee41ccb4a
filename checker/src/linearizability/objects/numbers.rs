//! Numbers for the elements of a container, small ones in the order of the elements.

use super::super::marks::Datum;
use rustc_hash::FxHashMap;
use std::cmp::Ordering;

/// The elements behind the numbers.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// Integers close together: the least of them, and how many numbers there are.
    Dense { least: i64, count: usize },
    /// Anything else, by number.
    Sparse(Vec<Datum<'a>>),
}

impl<'a> Numbers<'a> {
    /// Numbers for a list of elements, equal ones for equal elements, in their order.
    pub(super) fn of(elements: &[Datum<'a>]) -> (Self, Vec<u32>) {
        let integers: Option<Vec<i64>> = elements.iter().copied().map(integer).collect();
        let Some(integers) = integers else { return Self::hashed(elements) };
        Self::dense(&integers).unwrap_or_else(|| Self::sorted(elements, &integers))
    }

    fn dense(integers: &[i64]) -> Option<(Self, Vec<u32>)> {
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for &integer in integers {
            least = least.min(integer);
            greatest = greatest.max(integer);
        }
        let span = usize::try_from(greatest.checked_sub(least)?).ok()?;
        if span > 4 * integers.len() + 64 {
            return None;
        }
        let number = |integer: &i64| u32::try_from(integer - least).ok();
        let numbers = integers.iter().map(number).collect::<Option<Vec<u32>>>()?;
        Some((Self::Dense { least, count: span + 1 }, numbers))
    }

    /// Without hashing, which takes longer than sorting.
    fn sorted(elements: &[Datum<'a>], integers: &[i64]) -> (Self, Vec<u32>) {
        let mut sorted: Vec<(i64, u32)> = integers.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        let mut numbers = vec![0; elements.len()];
        let mut distinct: Vec<Datum<'a>> = Vec::new();
        let mut last = None;
        for (integer, index) in sorted {
            if last.replace(integer) != Some(integer) {
                distinct.push(elements[index as usize]);
            }
            numbers[index as usize] = number(distinct.len() - 1);
        }
        (Self::Sparse(distinct), numbers)
    }

    fn hashed(elements: &[Datum<'a>]) -> (Self, Vec<u32>) {
        let mut found: FxHashMap<Datum<'a>, u32> = FxHashMap::default();
        for &element in elements {
            found.entry(element).or_insert(0);
        }
        let mut sorted: Vec<Datum<'a>> = found.keys().copied().collect();
        sorted.sort_by(|&a, &b| order(a, b));
        for (element, number) in sorted.iter().zip(0..) {
            found.insert(*element, number);
        }
        let numbers = elements.iter().map(|element| found[element]).collect();
        (Self::Sparse(sorted), numbers)
    }

    /// One more than the largest number.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Dense { count, .. } => *count,
            Self::Sparse(elements) => elements.len(),
        }
    }

    pub(super) fn show(&self, number: u32) -> String {
        match self {
            Self::Dense { least, .. } => (least + i64::from(number)).to_string(),
            Self::Sparse(elements) => elements[number as usize].show(),
        }
    }

    /// A state that consists of elements.
    pub(super) fn show_all(&self, numbers: &[u32]) -> String {
        const SHOWN: usize = 8;
        let mut shown: Vec<String> = numbers.iter().take(SHOWN).map(|&number| self.show(number)).collect();
        if numbers.len() > SHOWN {
            shown.push(format!("… {} in all", numbers.len()));
        }
        format!("[{}]", shown.join(", "))
    }
}

/// An element as an integer, if it is one that is not enormous.
fn integer(element: Datum<'_>) -> Option<i64> {
    match element {
        Datum::Absent => None,
        Datum::Small(integer) => Some(i64::from(integer)),
        Datum::Other(value) => value.as_i64(),
    }
}

/// Integers before strings, and those before everything else.
fn order(a: Datum<'_>, b: Datum<'_>) -> Ordering {
    let enormous = |datum| match datum {
        Datum::Other(value) => value.as_u64(),
        Datum::Absent | Datum::Small(_) => None,
    };
    let integer = |datum| integer(datum).map(i128::from).or_else(|| enormous(datum).map(i128::from));
    let string = |datum| match datum {
        Datum::Other(value) => value.as_str(),
        Datum::Absent | Datum::Small(_) => None,
    };
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => match (string(a), string(b)) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.show().cmp(&b.show()),
        },
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a container has fewer than four billion elements")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_the_order_of_elements() {
        let close = [json!(-3), json!(7), json!(-3)];
        let far = [json!("b"), json!(1_000_000_000_000_i64), json!("a"), json!(-5), json!("b")];
        let (numbers, list) = Numbers::of(&close.iter().map(Datum::of).collect::<Vec<_>>());
        assert_eq!((list, numbers.show(10)), (vec![0, 10, 0], "7".to_owned()));
        let (numbers, list) = Numbers::of(&far.iter().map(Datum::of).collect::<Vec<_>>());
        assert_eq!((list, numbers.count()), (vec![3, 1, 2, 0, 3], 4));
        assert_eq!(numbers.show_all(&[3, 0]), "[\"b\", -5]");
        let integers = [json!(9_000_000), json!(-5), json!(7), json!(-5)];
        let (numbers, list) = Numbers::of(&integers.iter().map(Datum::of).collect::<Vec<_>>());
        assert_eq!((list, numbers.show_all(&[0, 2])), (vec![2, 0, 1, 0], "[-5, 9000000]".to_owned()));
    }
}

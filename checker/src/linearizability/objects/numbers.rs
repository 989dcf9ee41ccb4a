//! Numbers for the elements of a container, small ones in the order of the elements.

use rustc_hash::FxHashMap;
use serde_json::Value;
use std::cmp::Ordering;

/// The elements behind the numbers.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// Integers close together: the least of them, and how many numbers there are.
    Dense { least: i64, count: usize },
    /// Anything else, by number.
    Sparse(Vec<&'a Value>),
}

impl<'a> Numbers<'a> {
    /// Numbers for a list of elements, equal ones for equal elements, in their order.
    pub(super) fn of(elements: &[&'a Value]) -> (Self, Vec<u32>) {
        Self::dense(elements).unwrap_or_else(|| Self::sparse(elements))
    }

    /// Without hashing, which takes most of the time of a linear method.
    fn dense(elements: &[&'a Value]) -> Option<(Self, Vec<u32>)> {
        let mut integers = Vec::with_capacity(elements.len());
        let (mut least, mut greatest) = (i64::MAX, i64::MIN);
        for element in elements {
            let integer = element.as_i64()?;
            least = least.min(integer);
            greatest = greatest.max(integer);
            integers.push(integer);
        }
        let span = usize::try_from(greatest.checked_sub(least)?).ok()?;
        if span > 4 * elements.len() + 64 {
            return None;
        }
        let number = |integer: i64| u32::try_from(integer - least).ok();
        let numbers = integers.into_iter().map(number).collect::<Option<Vec<u32>>>()?;
        Some((Self::Dense { least, count: span + 1 }, numbers))
    }

    fn sparse(elements: &[&'a Value]) -> (Self, Vec<u32>) {
        let mut found: FxHashMap<&Value, u32> = FxHashMap::default();
        for &element in elements {
            found.entry(element).or_insert(0);
        }
        let mut sorted: Vec<&Value> = found.keys().copied().collect();
        sorted.sort_by(|a, b| order(a, b));
        for (element, number) in sorted.iter().zip(0..) {
            found.insert(element, number);
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
            Self::Sparse(elements) => elements[number as usize].to_string(),
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

/// Integers before strings, and those before everything else.
fn order(a: &Value, b: &Value) -> Ordering {
    let integer =
        |value: &Value| value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)).ok_or(());
    match (integer(a), integer(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(())) => Ordering::Less,
        (Err(()), Ok(_)) => Ordering::Greater,
        (Err(()), Err(())) => match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.to_string().cmp(&b.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_the_order_of_elements() {
        let close = [json!(-3), json!(7), json!(-3)];
        let far = [json!("b"), json!(1_000_000_000_000_i64), json!("a"), json!(-5), json!("b")];
        let (numbers, list) = Numbers::of(&close.iter().collect::<Vec<_>>());
        assert_eq!((list, numbers.show(10)), (vec![0, 10, 0], "7".to_owned()));
        let (numbers, list) = Numbers::of(&far.iter().collect::<Vec<_>>());
        assert_eq!((list, numbers.count()), (vec![3, 1, 2, 0, 3], 4));
        assert_eq!(numbers.show_all(&[3, 0]), "[\"b\", -5]");
    }
}

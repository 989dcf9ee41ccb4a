//! Numbers in readable form.

/// `1 chunk`, `5,120 bytes`.
pub(crate) fn count(number: u64, word: &str) -> String {
    let ending = match (number, word.strip_suffix('y')) {
        (1, _) => word.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{word}s"),
    };
    format!("{} {ending}", grouped(number))
}

/// `5,120`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_for_people() {
        assert_eq!(count(1, "chunk"), "1 chunk");
        assert_eq!(count(5_120, "byte"), "5,120 bytes");
        assert_eq!(count(1_234_567, "byte"), "1,234,567 bytes");
        assert_eq!(count(0, "entry"), "0 entries");
    }
}

//! Evidence shortened to the essential: what was seen, on how many links, and sums of what links counted.

use super::verdict::grouped;

/// What probes of the nemesis say, and the fewest words for it.
const PROBES: [(&str, &str); 5] = [
    ("a probe got no answer", "probes unanswered"),
    ("a probe was refused", "probes refused"),
    ("a probe is answered again", "probes answered again"),
    ("a probe is answered", "probes answered"),
    ("a probe got", "probes answered late"),
];
/// Words that come after a count.
const NOUNS: [&str; 4] = ["chunk", "frame", "byte", "connection"];

/// What was seen on links, over all lines that differ in nothing but their numbers.
struct Seen {
    /// The words, `#` for each number.
    pattern: String,
    /// The sum of each number.
    sums: Vec<u64>,
    links: usize,
}

/// Evidence in a few words: `probes unanswered on 24 links; 31 chunks held`. Evidence that is not about links
/// stays as it is. The whole of it is in `faults.csv`.
pub fn brief(evidence: &[String]) -> String {
    let mut all: Vec<Seen> = Vec::new();
    let mut parts: Vec<String> = Vec::new();
    for line in evidence {
        let Some((links, seen)) = on_links(line) else {
            parts.push(line.clone());
            continue;
        };
        let (pattern, numbers) = pattern(&without_brackets(seen));
        match all.iter_mut().find(|seen| seen.pattern == pattern) {
            Some(seen) => {
                seen.links += links;
                seen.sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
            }
            None => all.push(Seen { pattern, sums: numbers, links }),
        }
    }
    parts.extend(all.iter().map(in_words));
    parts.join("; ")
}

fn in_words(seen: &Seen) -> String {
    if !seen.sums.is_empty() {
        return filled(&seen.pattern, &seen.sums);
    }
    let links = if seen.links == 1 { "1 link".to_owned() } else { format!("{} links", seen.links) };
    format!("{} on {links}", seen.pattern)
}

/// How many links a line speaks of, and what it says of them: `n1→n2, n1→n3: a probe was refused`.
fn on_links(line: &str) -> Option<(usize, &str)> {
    let (links, seen) = line.split_once(": ")?;
    let all = links.split(", ").all(|link| link.contains('→') && !link.contains(' '));
    all.then(|| (links.split(", ").count(), seen))
}

fn without_brackets(text: &str) -> String {
    match (text.find(" ("), text.find(')')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &text[..from], &text[to + 1..]),
        _ => text.to_owned(),
    }
}

/// The text with `#` for each whole number and nouns in the singular, and the numbers; of probes the fewest words.
fn pattern(text: &str) -> (String, Vec<u64>) {
    if let Some((_, few)) = PROBES.iter().find(|(words, _)| text.starts_with(words)) {
        return ((*few).to_owned(), Vec::new());
    }
    let mut numbers = Vec::new();
    let words = text.split(' ').map(|word| {
        let (word, comma) = word.strip_suffix(',').map_or((word, ""), |word| (word, ","));
        if let Ok(number) = word.replace(',', "").parse() {
            numbers.push(number);
            return format!("#{comma}");
        }
        let noun = NOUNS.into_iter().find(|noun| word.strip_suffix('s') == Some(noun));
        format!("{}{comma}", noun.unwrap_or(word))
    });
    let pattern = words.collect::<Vec<_>>().join(" ");
    (pattern, numbers)
}

fn filled(pattern: &str, numbers: &[u64]) -> String {
    let mut numbers = numbers.iter();
    let mut many = false;
    let words = pattern.split(' ').map(|word| {
        let (word, comma) = word.strip_suffix(',').map_or((word, ""), |word| (word, ","));
        if word == "#" {
            let number = numbers.next().copied().unwrap_or(0);
            many = number != 1;
            return format!("{}{comma}", grouped(number));
        }
        let plural = if many && NOUNS.contains(&word) { "s" } else { "" };
        format!("{word}{plural}{comma}")
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::brief;

    fn of(lines: &[&str]) -> String {
        brief(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn links_are_counted_and_what_they_held_is_added_up() {
        let cut = [
            "n1→n2, n1→n3, n2→n1: a probe got no answer in 100.0 ms",
            "n3→n1: a probe got no answer in 140.0 ms",
            "n1→n2: 1 chunk (12 bytes) held",
            "n2→n1: 1,030 chunks (123 bytes) held",
        ];
        assert_eq!(of(&cut), "probes unanswered on 4 links; 1,031 chunks held");
        let reset = ["n1→n2: 2 connections reset", "n2→n1: 1 connection reset"];
        assert_eq!(of(&reset), "3 connections reset");
        let refused = ["n1→n3: 1 connection reset, 4 refused", "n1→n3: a probe was refused"];
        assert_eq!(of(&refused), "1 connection reset, 4 refused; probes refused on 1 link");
        let flaky = ["n1→n3: of 1 frame, 0 lost, 1 doubled", "n3→n1: of 1,200 frames, 30 lost, 2 doubled"];
        assert_eq!(of(&flaky), "of 1,201 frames, 30 lost, 3 doubled");
    }

    #[test]
    fn evidence_of_a_process_stays_as_it_is() {
        assert_eq!(of(&["pid 4711 ended by signal 9"]), "pid 4711 ended by signal 9");
        assert_eq!(
            of(&["n2: new pid 7 (incarnation 2)", "state T in /proc"]),
            "n2: new pid 7 (incarnation 2); state T in /proc"
        );
        assert_eq!(of(&[]), "");
    }
}

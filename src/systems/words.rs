//! Words in braces: placeholders for a node's properties in the commands of its system.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;

/// The words of every system, for messages.
pub(crate) const WORDS: &str = "{name}, {number}, {address}, {ip}, {port}, {host}, {data}, {members}, {others}, \
                                {members: TEXT|,}, {others: TEXT|,}, {first: TEXT}, {env:NAME}";
/// The word for the host name of a node, which only a lab provides.
pub(crate) const HOST: &str = "host";

/// The name and the addresses of a node, from the view of one of the nodes.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its number, from 1.
    pub(crate) number: usize,
    /// Its address for clients.
    pub(crate) address: SocketAddr,
    /// Its further ports, by their words.
    pub(crate) ports: BTreeMap<String, SocketAddr>,
}

/// The values of the words for one node.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// The node, at its own addresses.
    pub(crate) own: Member,
    /// The folder of its data.
    pub(crate) data: String,
    /// All nodes, at their addresses from the view of this one.
    pub(crate) members: Vec<Member>,
}

/// A part of a text with words.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Word(&'a str),
}

/// Splits a text at its words: `{{` and `}}` are braces, and the braces in a word are part of it.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find(['{', '}']) {
        let (before, at) = rest.split_at(start);
        pieces.push(Piece::Text(before));
        if at.starts_with("{{") || at.starts_with("}}") {
            pieces.push(Piece::Text(&at[..1]));
            rest = &at[2..];
        } else if let Some(end) = at.starts_with('{').then(|| closing(at)).flatten() {
            pieces.push(Piece::Word(&at[1..end]));
            rest = &at[end + 1..];
        } else {
            pieces.push(Piece::Text(&at[..1]));
            rest = &at[1..];
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The index of the brace that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    text.char_indices().find_map(|(at, letter)| {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        (open == 0).then_some(at)
    })
}

/// The text and the separator of a list word, for example `members: {name}={ip}|,`.
fn list(word: &str) -> Option<(&str, &str, &str)> {
    let (list, template) = word.split_once(": ")?;
    if list == "first" {
        return Some((list, template, ""));
    }
    let (template, separator) = template.rsplit_once('|')?;
    matches!(list, "members" | "others").then_some((list, template, separator))
}

/// Splits the text of a file at its words. Other braces stay unchanged, as many files contain some.
fn pieces_of_file(text: &str) -> Vec<Piece<'_>> {
    let looks_like_word = |word: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        list(word).is_some() || variable(word).is_some() || !word.is_empty() && word.chars().all(plain)
    };
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find('{') {
        let (before, at) = rest.split_at(start);
        pieces.push(Piece::Text(before));
        if let Some(end) = closing(at).filter(|end| looks_like_word(&at[1..*end])) {
            pieces.push(Piece::Word(&at[1..end]));
            rest = &at[end + 1..];
        } else {
            pieces.push(Piece::Text(&at[..1]));
            rest = &at[1..];
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// A text with its words replaced.
pub(crate) fn fill(text: &str, word: impl Fn(&str) -> String) -> String {
    filled(&pieces(text), word)
}

fn filled(pieces: &[Piece<'_>], word: impl Fn(&str) -> String) -> String {
    let filled = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Word(name) => word(name),
    });
    filled.collect()
}

/// The first unknown word of a text.
pub(crate) fn unknown_in(text: &str, known: impl Fn(&str) -> bool) -> Option<&str> {
    pieces(text).into_iter().find_map(|piece| match piece {
        Piece::Word(word) if !known(word) => Some(word),
        Piece::Word(_) | Piece::Text(_) => None,
    })
}

/// The name of the environment variable that a word refers to.
pub(crate) fn variable(word: &str) -> Option<&str> {
    word.strip_prefix("env:").filter(|name| !name.is_empty())
}

/// The value of an environment variable; empty if it is not set.
pub(crate) fn variable_of_caller(word: &str) -> String {
    variable(word).and_then(|name| env::var(name).ok()).unwrap_or_default()
}

/// The name of a variable of the caller that a text refers to and that is not set, also of the text of a file.
///
pub(crate) fn unset_variable(text: &str) -> Option<&str> {
    let named = |piece| match piece {
        Piece::Word(word) => variable(word),
        Piece::Text(_) => None,
    };
    let mut names = pieces_of_file(text).into_iter().filter_map(named);
    names.find(|name| env::var_os(name).is_none())
}

/// The complaint about a variable that is not set.
pub(crate) fn not_set(name: &str) -> String {
    format!(
        "the variable {name} is not set; set it as the head of the spec says, or write its value in place of {{env:{name}}}"
    )
}

/// The same as [`unset_variable`] for the value of a variable of a program. Whoever writes `{env:NAME}` and nothing else passes a variable on, whether it
/// is set or not.
pub(crate) fn unset_in_value(text: &str) -> Option<&str> {
    let passes_on = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .is_some_and(|word| variable(word).is_some_and(|name| !name.contains(['{', '}'])));
    if passes_on { None } else { unset_variable(text) }
}

/// A word of a text that no node can fill; `ports` are the words for ports.
pub(crate) fn unknown<'a>(text: &'a str, ports: &BTreeMap<String, u16>) -> Option<&'a str> {
    unknown_of(pieces(text), ports)
}

/// The same for the text of a file.
pub(crate) fn unknown_in_file<'a>(text: &'a str, ports: &BTreeMap<String, u16>) -> Option<&'a str> {
    unknown_of(pieces_of_file(text), ports)
}

/// The same for the text of a call about a member, which has further words.
pub(crate) fn unknown_in_call<'a>(
    text: &'a str,
    ports: &BTreeMap<String, u16>,
    further: &[&str],
) -> Option<&'a str> {
    let pieces = pieces_of_file(text).into_iter();
    let own = pieces.filter(|piece| !matches!(piece, Piece::Word(word) if further.contains(word)));
    unknown_of(own.collect(), ports)
}

fn unknown_of<'a>(pieces: Vec<Piece<'a>>, ports: &BTreeMap<String, u16>) -> Option<&'a str> {
    let of_member = |word: &str| {
        matches!(word, "name" | "number" | "address" | "ip" | "port" | "client" | HOST)
            || ports.contains_key(word)
    };
    let of_node = |word: &str| {
        of_member(word) || matches!(word, "data" | "members" | "others") || variable(word).is_some()
    };
    pieces.into_iter().find_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Word(word) => match list(word) {
            Some((_, template, _)) => unknown_in(template, of_member),
            None => Some(word).filter(|word| !of_node(word)),
        },
    })
}

/// Whether a text contains this word, also in a list of nodes.
pub(crate) fn has(text: &str, wanted: &str) -> bool {
    pieces(text).into_iter().chain(pieces_of_file(text)).any(|piece| match piece {
        Piece::Text(_) => false,
        Piece::Word(word) => {
            word == wanted || list(word).is_some_and(|(_, template, _)| has(template, wanted))
        }
    })
}

impl Member {
    /// The value of a word.
    fn word(&self, word: &str) -> Option<String> {
        Some(match word {
            // In a lab, the name of a node is its host name.
            "name" | HOST => self.name.clone(),
            "number" => self.number.to_string(),
            "address" => self.address.to_string(),
            "ip" => self.address.ip().to_string(),
            "port" | "client" => self.address.port().to_string(),
            _ => self.ports.get(word)?.port().to_string(),
        })
    }

    fn fill(&self, template: &str) -> String {
        fill(template, |word| self.word(word).unwrap_or_default())
    }
}

impl Words {
    /// A text with every word replaced. Words that [`unknown`] would report become empty.
    pub(crate) fn fill(&self, text: &str) -> String {
        fill(text, |word| self.word(word))
    }

    /// The text of a file with every word replaced.
    pub(crate) fn fill_file(&self, text: &str) -> String {
        filled(&pieces_of_file(text), |word| self.word(word))
    }

    /// The same with further words.
    pub(crate) fn fill_file_with(&self, text: &str, further: &[(&str, &str)]) -> String {
        let own =
            |word: &str| further.iter().find(|(name, _)| *name == word).map(|(_, text)| (*text).to_owned());
        filled(&pieces_of_file(text), |word| own(word).unwrap_or_else(|| self.word(word)))
    }

    fn word(&self, word: &str) -> String {
        let all = |wanted: &str, template: &str, separator: &str| {
            let count = if wanted == "first" { 1 } else { self.members.len() };
            let members = self.members[..count].iter();
            let members = members.filter(|member| wanted != "others" || member.name != self.own.name);
            members.map(|member| member.fill(template)).collect::<Vec<_>>().join(separator)
        };
        if let Some((wanted, template, separator)) = list(word) {
            return all(wanted, template, separator);
        }
        match word {
            "data" => self.data.clone(),
            "members" | "others" => all(word, "{name}={address}", ","),
            _ => self.own.word(word).unwrap_or_else(|| variable_of_caller(word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let member = |number: u8| Member {
            name: format!("n{number}"),
            number: usize::from(number),
            address: ([10, 0, 0, number], 80).into(),
            ports: BTreeMap::from([("peer".to_owned(), ([10, 0, 0, number], 2380).into())]),
        };
        Words { own: member(2), data: "/d".to_owned(), members: vec![member(1), member(2)] }
    }

    #[test]
    fn words_are_replaced_and_double_braces_stay() {
        let filled = |text: &str| words().fill(text);
        assert_eq!(filled("{name}#{number} at {ip}:{port} = {address}"), "n2#2 at 10.0.0.2:80 = 10.0.0.2:80");
        assert_eq!(filled("--peers={others} {data} {peer}"), "--peers=n1=10.0.0.1:80 /d 2380");
        assert_eq!(filled("f() {{ echo {name}; }}"), "f() { echo n2; }");
        assert_eq!(
            filled("{members: {name}=http://{ip}:{peer}|,}"),
            "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380"
        );
        assert_eq!(filled("{others: {ip} {peer}| & }"), "10.0.0.1 2380");
        assert_eq!(filled("{env:NO_SUCH_VARIABLE}|{"), "|{");
    }

    #[test]
    fn braces_of_a_file_stay_unchanged() {
        let filled = |text: &str| words().fill_file(text);
        assert_eq!(filled(r#"{"a": {"id": "{name}"}, "b": {}}"#), r#"{"a": {"id": "n2"}, "b": {}}"#);
        assert_eq!(filled("${HOME} {{ {peer} }} {"), "${HOME} {{ 2380 }} {");
        assert_eq!(filled("{first: {ip} {client}} {others: {host}|,}"), "10.0.0.1 80 n1");
        assert_eq!(unknown_in_file(r#"{"a": {nmae}}"#, &BTreeMap::new()), Some("nmae"));
        assert_eq!(unknown_in_file("http { server { listen {ip}; } }", &BTreeMap::new()), None);
        assert!(has("{others: {host}|,}", HOST) && has("{host}", HOST) && !has("host {ip}", HOST));
    }

    #[test]
    fn unset_variable_is_named_unless_passed_on() {
        assert_eq!(unset_variable("cd {env:NO_SUCH_VARIABLE}/lib"), Some("NO_SUCH_VARIABLE"));
        assert_eq!(unset_variable("{env:PATH} {name}"), None);
        assert_eq!(unset_in_value("{env:NO_SUCH_VARIABLE}"), None);
        assert_eq!(unset_in_value("{env:NO_SUCH_VARIABLE}/{env:NO_OTHER}"), Some("NO_SUCH_VARIABLE"));
    }

    #[test]
    fn unknown_words_are_named_also_in_lists() {
        let ports = BTreeMap::from([("peer".to_owned(), 1)]);
        for known in ["{peer}", "{members: {name}:{peer}|,}", "{env:HOME}", "{{x}}", "a } b", "{members}"] {
            assert_eq!(unknown(known, &ports), None, "{known}");
        }
        assert_eq!(unknown("--id={nmae}", &ports), Some("nmae"));
        assert_eq!(unknown("{members: {data}|,}", &ports), Some("data"));
        assert_eq!(unknown("{peers}", &ports), Some("peers"));
    }
}

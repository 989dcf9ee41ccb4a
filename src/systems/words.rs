//! Words in braces, which stand for something of a node in the arguments, variables and commands of its system.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;

/// The words that every system has, for messages.
pub(crate) const WORDS: &str = "{name}, {number}, {address}, {ip}, {port}, {data}, {members}, {others}, {members: TEXT|,}, \
                                {others: TEXT|,}, {env:NAME}";

/// The name and the addresses of a node, as one of the nodes is given them.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// From 1.
    pub(crate) number: usize,
    /// Where it listens for clients.
    pub(crate) address: SocketAddr,
    /// Its further ports, by their words.
    pub(crate) ports: BTreeMap<String, SocketAddr>,
}

/// What the words stand for, of one node.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    /// The node, at its own addresses.
    pub(crate) own: Member,
    /// The folder of its data.
    pub(crate) data: String,
    /// All nodes, at the addresses that this one is given.
    pub(crate) members: Vec<Member>,
}

/// Part of a text with words.
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

/// The place of the brace that closes the first one.
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

/// The text and the separator of a word such as `members: {name}={ip}|,`.
fn list(word: &str) -> Option<(&str, &str, &str)> {
    let (list, template) = word.split_once(": ")?;
    let (template, separator) = template.rsplit_once('|')?;
    matches!(list, "members" | "others").then_some((list, template, separator))
}

/// A text with its words replaced.
pub(crate) fn fill(text: &str, word: impl Fn(&str) -> String) -> String {
    let filled = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Word(name) => word(name),
    });
    filled.collect()
}

/// The first word of a text that is not known.
pub(crate) fn unknown_in(text: &str, known: impl Fn(&str) -> bool) -> Option<&str> {
    pieces(text).into_iter().find_map(|piece| match piece {
        Piece::Word(word) if !known(word) => Some(word),
        Piece::Word(_) | Piece::Text(_) => None,
    })
}

/// The name of the variable of the caller that a word stands for.
pub(crate) fn variable(word: &str) -> Option<&str> {
    word.strip_prefix("env:").filter(|name| !name.is_empty())
}

/// What a variable of the caller has; empty if it is not set.
pub(crate) fn variable_of_caller(word: &str) -> String {
    variable(word).and_then(|name| env::var(name).ok()).unwrap_or_default()
}

/// A word that a text has and no node can fill; `ports` are the words for ports.
pub(crate) fn unknown<'a>(text: &'a str, ports: &BTreeMap<String, u16>) -> Option<&'a str> {
    let of_member = |word: &str| {
        matches!(word, "name" | "number" | "address" | "ip" | "port" | "client") || ports.contains_key(word)
    };
    let of_node = |word: &str| {
        of_member(word) || matches!(word, "data" | "members" | "others") || variable(word).is_some()
    };
    pieces(text).into_iter().find_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Word(word) => match list(word) {
            Some((_, template, _)) => unknown_in(template, of_member),
            None => Some(word).filter(|word| !of_node(word)),
        },
    })
}

impl Member {
    /// What a word stands for.
    fn word(&self, word: &str) -> Option<String> {
        Some(match word {
            "name" => self.name.clone(),
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
    /// A text with every word replaced. What [`unknown`] would have named becomes nothing.
    pub(crate) fn fill(&self, text: &str) -> String {
        fill(text, |word| self.word(word))
    }

    fn word(&self, word: &str) -> String {
        let all = |wanted: &str, template: &str, separator: &str| {
            let members =
                self.members.iter().filter(|member| wanted == "members" || member.name != self.own.name);
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

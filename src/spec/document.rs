//! The text of a spec with the position of each key, for messages that name a line.

use super::path::{KeyPath, Step};
use std::fmt::Write as _;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The text of a spec and what to call it in messages.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The file's path as it was given, or the name of a built-in spec.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// Which part of an entry a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Document {
    /// The position of the entry at `path`, or of the innermost entry around it that is written in the text.
    pub(crate) fn locate(&self, path: &KeyPath, part: Part) -> Option<Range<usize>> {
        self.walk(path, part).map(|(span, _)| span)
    }

    /// The position of the entry at `path`, if it is written in the text.
    pub(crate) fn locate_exactly(&self, path: &KeyPath, part: Part) -> Option<Range<usize>> {
        self.walk(path, part).filter(|(_, depth)| *depth == path.0.len()).map(|(span, _)| span)
    }

    /// The innermost entry on the way to `path`, and how many steps led there.
    fn walk(&self, path: &KeyPath, part: Part) -> Option<(Range<usize>, usize)> {
        let root = DeTable::parse(&self.text).ok()?;
        let mut found = None;
        let mut table = Some(root.get_ref());
        let mut value: Option<&DeValue<'_>> = None;
        for (depth, step) in path.0.iter().enumerate() {
            let last = depth + 1 == path.0.len();
            let next = match step {
                Step::Key(key) => {
                    let Some((name, inner)) = table.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == key))
                    else {
                        break;
                    };
                    let on_key = (last && part == Part::Key) || inner.get_ref().is_table();
                    found = Some((if on_key { name.span() } else { inner.span() }, depth + 1));
                    inner
                }
                Step::Item(index) => {
                    let Some(inner) = value.and_then(DeValue::as_array).and_then(|items| items.get(*index))
                    else {
                        break;
                    };
                    found = Some((inner.span(), depth + 1));
                    inner
                }
            };
            value = Some(next.get_ref());
            table = next.get_ref().as_table();
        }
        found
    }

    /// The path of the first entry below `path` whose key (or whose text value) is `word`.
    pub(crate) fn find(&self, path: &KeyPath, word: &str, part: Part) -> Option<KeyPath> {
        let root = DeTable::parse(&self.text).ok()?;
        let mut queue = vec![(KeyPath::default(), DeValue::Table(root.into_inner()))];
        while let Some((at, value)) = queue.pop() {
            let hit = match part {
                Part::Key => matches!(at.0.last(), Some(Step::Key(key)) if key == word),
                Part::Value => value.as_str() == Some(word),
            };
            if hit && path.holds(&at) {
                return Some(at);
            }
            match value {
                DeValue::Table(table) => queue.extend(
                    table.into_iter().map(|(key, value)| (at.key(key.get_ref()), value.into_inner())),
                ),
                DeValue::Array(items) => queue.extend(
                    items.into_iter().enumerate().map(|(index, value)| (at.item(index), value.into_inner())),
                ),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => {}
            }
        }
        None
    }

    /// `name:line:column`, both counted from 1.
    pub(crate) fn location(&self, span: &Range<usize>) -> String {
        let (line, column) = self.line_column(span.start);
        format!("{}:{line}:{column}", self.name)
    }

    /// The line of the span with a mark under it.
    pub(crate) fn excerpt(&self, span: &Range<usize>) -> String {
        let (line, column) = self.line_column(span.start);
        let source = self.text.lines().nth(line - 1).unwrap_or_default();
        let end = span.end.min(span.start + source.len().saturating_sub(column - 1)).max(span.start);
        let width = self.text.get(span.start..end).map_or(1, |s| s.chars().count()).max(1);
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let mut text = String::new();
        // A `String` takes every write.
        let _ = writeln!(text, " {gutter} |\n {number} | {source}");
        let _ = writeln!(text, " {gutter} | {}{}", " ".repeat(column - 1), "^".repeat(width));
        text
    }

    fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        (line, column)
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Part};
    use crate::spec::path::KeyPath;

    fn document() -> Document {
        Document {
            name: "x.toml".into(),
            text: "name = \"x\"\n[load]\nrate = 5\n[[fault]]\nkind = \"kill\"\n[[fault]]\nkind = \"pause\"\n"
                .into(),
        }
    }

    #[test]
    fn an_entry_is_found_with_line_and_column() {
        let document = document();
        let location = |path: &str, part| {
            document.location(&document.locate(&KeyPath::parse(path).unwrap(), part).unwrap())
        };
        assert_eq!(location("load.rate", Part::Key), "x.toml:3:1");
        assert_eq!(location("load.rate", Part::Value), "x.toml:3:8");
        assert_eq!(location("fault.2.kind", Part::Value), "x.toml:7:8");
        assert_eq!(location("load.missing", Part::Key), "x.toml:2:2");
    }

    #[test]
    fn word_is_found_below_path_of_serde() {
        let document = document();
        let within = KeyPath::parse("fault.2").unwrap();
        let found = document.find(&within, "pause", Part::Value).unwrap();
        assert_eq!(found.to_string(), "fault.2.kind");
    }

    #[test]
    fn the_excerpt_marks_the_value() {
        let document = document();
        let span = document.locate(&KeyPath::parse("load.rate").unwrap(), Part::Value).unwrap();
        assert_eq!(document.excerpt(&span), "   |\n 3 | rate = 5\n   |        ^\n");
    }
}

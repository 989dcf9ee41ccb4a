//! A spec with its overrides, parsed as one table; each error names the line or the override that caused it.

use super::document::{Document, Part};
use super::explain::{Explained, Word, explain};
use super::overrides::{Origin, Override};
use super::path::{KeyPath, Step};
use super::sections::Spec;
use super::system;
use crate::failure::Failure;
use std::ops::Range;
use toml::Table;

/// The table of a spec after its overrides, which remembers where each value came from.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    document: Document,
    table: Table,
    overrides: Vec<Override>,
}

impl Merged {
    /// Parses the text.
    ///
    /// # Errors
    /// When it is not TOML, with line and column.
    pub(crate) fn parse(document: Document) -> Result<Self, Failure> {
        match toml::from_str::<Table>(&document.text) {
            Ok(table) => Ok(Self { document, table, overrides: Vec::new() }),
            Err(error) => {
                let Some(span) = error.span() else {
                    return Err(Failure::usage(document.name, error.message()));
                };
                let mut failure = Failure::usage(document.location(&span), error.message())
                    .help("specs are TOML (https://toml.io); text and durations stand in quotation marks");
                failure.excerpt = Some(document.excerpt(&span));
                Err(failure)
            }
        }
    }

    /// Puts overrides on top.
    ///
    /// # Errors
    /// When a path has no such key or index.
    pub(crate) fn with(mut self, overrides: Vec<Override>) -> Result<Self, Failure> {
        for one in overrides {
            self.take_list_of_system(&one)?;
            if let Err(reason) = one.apply(&mut self.table) {
                let (location, excerpt) = self.location_of_override(&one);
                let mut failure = Failure::usage(location, reason)
                    .help("keys are those of the spec, for example load.rate, fault.1.at or cluster.args.2");
                failure.excerpt = excerpt;
                return Err(failure);
            }
            self.overrides.push(one);
        }
        Ok(self)
    }

    /// The table of the spec with the overrides, without what the files of its system add.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The overrides on top, in order.
    pub(crate) fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The text with its overrides: the original where there are none.
    pub(crate) fn text(&self) -> String {
        if self.overrides.is_empty() {
            return self.document.text.clone();
        }
        let list: Vec<String> = self.overrides.iter().map(|one| format!("#   {}", one.written)).collect();
        let list = list.join("\n");
        let body = toml::to_string_pretty(&self.table).expect("what was read as TOML can be written as TOML");
        format!("# {} with these values set on the command line:\n{list}\n\n{body}", self.document.name)
    }

    /// Reads it as a spec.
    ///
    /// # Errors
    /// The first unknown key or impossible value, with its line and the nearest valid word.
    pub(crate) fn read(&self) -> Result<Spec, Failure> {
        let table = system::layered(&self.table, &self.below()?);
        let spec: Spec = serde_path_to_error::deserialize(table).map_err(|error| {
            let path = KeyPath::from_serde(error.path());
            let explained = explain(error.inner().message());
            self.explained(&path, explained)
        })?;
        Ok(spec.with_mix_of_client().without_unused_keys())
    }

    /// Whether the spec or an override has a section of its own, instead of the one from the file of its system.
    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Whether the spec or an override has a key of `[cluster]` of its own.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        let cluster = self.table.get("cluster").and_then(toml::Value::as_table);
        cluster.is_some_and(|cluster| cluster.contains_key(key))
    }

    /// The files that describe its system, which it stands on.
    fn below(&self) -> Result<Vec<system::SystemFile>, Failure> {
        system::files(&self.table).map_err(|(path, reason, help)| self.complaint(&path, reason, Some(help)))
    }

    /// An override of one entry of a list that the spec has from its system needs the whole list.
    fn take_list_of_system(&mut self, one: &Override) -> Result<(), Failure> {
        let Some(item) = one.path.0.iter().position(|step| matches!(step, Step::Item(_))) else {
            return Ok(());
        };
        let list = &one.path.0[..item];
        if system::at(&self.table, list).is_none()
            && let Some(value) = system::at(&system::layered(&self.table, &self.below()?), list)
        {
            system::put(&mut self.table, list, value.clone());
        }
        Ok(())
    }

    /// A complaint about the value at `path`.
    pub(crate) fn complaint(
        &self,
        path: &KeyPath,
        reason: impl Into<String>,
        help: Option<String>,
    ) -> Failure {
        self.explained(path, Explained { reason: reason.into(), help, word: None })
    }

    /// A complaint in the words of [`explain`](super::explain).
    pub(crate) fn explained(&self, path: &KeyPath, explained: Explained) -> Failure {
        let (path, part) = self.narrow(path, explained.word.as_ref());
        let (location, excerpt) = match self.overrides.iter().rev().find(|o| o.path.holds(&path)) {
            Some(one) => self.location_of_override(one),
            None => match self.place(&path, part) {
                Some((document, span)) => (document.location(&span), Some(document.excerpt(&span))),
                None => (self.document.name.clone(), None),
            },
        };
        let mut failure = Failure::usage(location, explained.reason);
        failure.help = explained.help;
        failure.excerpt = excerpt;
        failure
    }

    /// Where an entry is written: in the spec, or in the file of its system if only that has it.
    fn place(&self, path: &KeyPath, part: Part) -> Option<(Document, Range<usize>)> {
        let own = |span| (self.document.clone(), span);
        let exactly = self.document.locate_exactly(path, part).map(own);
        let below = || {
            let files = self.below().ok()?;
            let documents = files.into_iter().map(|file| file.document);
            documents
                .filter_map(|document| document.locate_exactly(path, part).map(|span| (document, span)))
                .next_back()
        };
        exactly.or_else(below).or_else(|| self.document.locate(path, part).map(own))
    }

    /// The entry that is meant: serde stops at the table around it where it buffers.
    fn narrow(&self, path: &KeyPath, word: Option<&Word>) -> (KeyPath, Part) {
        match word {
            None => (path.clone(), Part::Value),
            Some(Word::Missing(_)) => (path.clone(), Part::Key),
            Some(Word::Key(key)) => {
                if path.0.last() == Some(&Step::Key(key.clone())) {
                    return (path.clone(), Part::Key);
                }
                let of_override = self
                    .overrides
                    .iter()
                    .find(|o| path.holds(&o.path) && o.path.0.contains(&Step::Key(key.clone())))
                    .map(|o| o.path.clone());
                let found = of_override.or_else(|| self.document.find(path, key, Part::Key));
                (found.unwrap_or_else(|| path.clone()), Part::Key)
            }
            Some(Word::Value(value)) => {
                let of_override = self
                    .overrides
                    .iter()
                    .find(|o| path.holds(&o.path) && o.value.as_str() == Some(value))
                    .map(|o| o.path.clone());
                let found = of_override.or_else(|| self.document.find(path, value, Part::Value));
                (found.unwrap_or_else(|| path.clone()), Part::Value)
            }
        }
    }

    pub(super) fn location_of_override(&self, one: &Override) -> (String, Option<String>) {
        match one.origin {
            Origin::CommandLine => (format!("--set {}", one.written), None),
            Origin::Axis => (format!("sweep over {}", one.written), None),
            Origin::Variant(index) => {
                let set = KeyPath::default().key("variant").item(index).key("set");
                let mut nested = set.clone();
                nested.0.extend(one.path.0.iter().cloned());
                let span = [set.key(&one.written), nested]
                    .iter()
                    .find_map(|path| self.document.locate_exactly(path, Part::Key))
                    .or_else(|| self.document.locate(&set, Part::Key));
                match span {
                    Some(span) => (self.document.location(&span), Some(self.document.excerpt(&span))),
                    None => (self.document.name.clone(), None),
                }
            }
        }
    }
}

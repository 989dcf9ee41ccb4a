//! JSON for people and programs: a field a line where it matters, and small records on one line.

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// Objects nested deeper than this stand on one line: a check, an obligation, a figure.
const LINES: usize = 4;
/// Lists nested deeper than this do too. Those between are lists of a record, such as the evidence of a check: a value a line.
const LISTS: usize = 6;

/// The value as readable JSON, with a line break at its end.
pub fn readable_json(value: &impl Serialize) -> String {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Readable::default());
    value.serialize(&mut serializer).expect("our own types have only text keys and plain values");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON is UTF-8")
}

#[derive(Default)]
struct Readable {
    depth: usize,
    /// Whether the innermost object or list has a value.
    has_value: bool,
}

impl Readable {
    fn begin(&mut self, writer: &mut (impl ?Sized + Write), bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_value = false;
        writer.write_all(bracket)
    }

    fn value(&self, writer: &mut (impl ?Sized + Write), first: bool, lines: usize) -> io::Result<()> {
        if self.depth > lines {
            return writer.write_all(if first { b"" } else { b", " });
        }
        writer.write_all(if first { b"\n" } else { b",\n" })?;
        indent(writer, self.depth)
    }

    fn end(&mut self, writer: &mut (impl ?Sized + Write), bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.has_value && self.depth < LINES {
            writer.write_all(b"\n")?;
            indent(writer, self.depth)?;
        }
        self.has_value = true;
        writer.write_all(bracket)
    }
}

fn indent(writer: &mut (impl ?Sized + Write), depth: usize) -> io::Result<()> {
    (0..depth).try_for_each(|_| writer.write_all(b"  "))
}

impl Formatter for Readable {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.value(writer, first, LISTS)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.value(writer, first, LINES)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.has_value = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn records_stand_on_a_line() {
        let value = json!({"none": [], "variants": [{"checks": [
            {"name": "load", "evidence": []},
            {"name": "logs", "evidence": ["a, \"b\"", [1, 2]]},
        ]}]});
        let text = readable_json(&value);
        let expected = r#"{
  "none": [],
  "variants": [
    {
      "checks": [
        {"evidence": [], "name": "load"},
        {"evidence": [
            "a, \"b\"",
            [1, 2]], "name": "logs"}
      ]
    }
  ]
}
"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}

//! Values in place: what [`to_value`](super::to_value) makes of a form, without the form.
//!
//! *Problem*: most of the time and memory of reading a history went into forms that became values at once.
//!
//! *Idea*: read what histories consist of (nil, integers, keywords, plain strings, vectors, lists, sets and maps of them)
//! straight into values. At anything else, errors among it, give up: the caller goes back and reads the form, so that
//! there is one place that says what is wrong. Both spend the same memory of the budget.

use super::super::budget::{self, Budget};
use super::parse::{FORM, MAX_DEPTH, Parser};
use super::value::sort_set;
use super::{Edn, lex};
use history::Scalar;
use serde_json::{Map, Value};

/// Digits of an integer that surely fits.
const DIGITS: usize = 18;

/// A value, and whether it is like `[:append 3 1]`.
struct Direct {
    value: Value,
    is_step: bool,
}

impl Direct {
    fn plain(value: Value) -> Self {
        Self { value, is_step: false }
    }
}

impl<'a> Parser<'a> {
    /// Says how much memory the next values may take.
    pub(in super::super) fn begin_direct(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Goes back to where a value in place was begun.
    pub(in super::super) fn rewind(&mut self, start: usize) {
        self.at = start;
    }

    /// Passes a byte, if it is the next one that is not blank.
    pub(in super::super) fn pass(&mut self, byte: u8) -> Option<()> {
        self.plain_blank();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Passes a text, if it is next; says whether it is.
    pub(in super::super) fn pass_text(&mut self, text: &str) -> bool {
        let is_next = self.text.as_bytes()[self.at..].starts_with(text.as_bytes());
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// The next keyword, without its colon.
    pub(in super::super) fn keyword(&mut self) -> Option<&'a str> {
        self.plain_blank();
        self.spend(self.at, FORM).ok()?;
        self.token().strip_prefix(':').filter(|name| !name.is_empty())
    }

    /// The next value, at this depth.
    pub(in super::super) fn direct_value(&mut self, depth: usize) -> Option<Value> {
        self.direct(depth).map(|direct| direct.value)
    }

    /// White space and commas; a comment or a discarded form is for the other way.
    fn plain_blank(&mut self) {
        while self.peek().is_some_and(lex::is_blank) {
            self.at += 1;
        }
    }

    /// The next byte that is not blank, which is not passed.
    pub(in super::super) fn next_byte(&mut self) -> Option<u8> {
        self.plain_blank();
        self.peek()
    }

    /// The text from an offset up to here.
    pub(in super::super) fn text_from(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next value, if it is a short number of digits only, as it is printed; otherwise the parser stays before it.
    pub(in super::super) fn natural(&mut self) -> Option<i64> {
        self.plain_blank();
        let start = self.at;
        let number = self.digits();
        if number.is_none() {
            self.at = start;
        }
        number
    }

    fn digits(&mut self) -> Option<i64> {
        let start = self.at;
        let mut number = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - start == DIGITS {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            self.at += 1;
        }
        let length = self.at - start;
        let leads = length > 1 && self.text.as_bytes()[start] == b'0';
        let ends = self.peek().is_some_and(lex::is_delimiter);
        (length > 0 && ends && !leads).then_some(number)
    }

    /// The next value, if it is nil, a short integer, a keyword or a plain string; otherwise the parser stays before it.
    pub(in super::super) fn scalar(&mut self) -> Option<Scalar<'a>> {
        self.plain_blank();
        let start = self.at;
        let scalar = self.scalar_here();
        if scalar.is_none() {
            self.at = start;
        }
        scalar
    }

    fn scalar_here(&mut self) -> Option<Scalar<'a>> {
        match self.peek()? {
            b'0'..=b'9' => self.digits().map(Scalar::Integer),
            b'-' => {
                self.at += 1;
                self.digits().filter(|number| *number > 0).map(|number| Scalar::Integer(-number))
            }
            b':' => {
                let token = self.token();
                (token.len() > 1).then_some(Scalar::Text(token))
            }
            b'"' => self.plain_text().map(Scalar::Text),
            b'n' => (self.token() == "nil").then_some(Scalar::Null),
            _ => None,
        }
    }

    fn direct(&mut self, depth: usize) -> Option<Direct> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.plain_blank();
        self.spend(self.at, FORM).ok()?;
        match self.peek()? {
            b'[' => self.direct_items(b']', depth),
            b'(' => self.direct_items(b')', depth),
            b'{' => self.direct_map(depth),
            b'#' if self.text.as_bytes().get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                let Value::Array(mut items) = self.direct_items(b'}', depth)?.value else { return None };
                sort_set(&mut items);
                Some(Direct::plain(Value::Array(items)))
            }
            b'"' => self.direct_text().map(Direct::plain),
            b'#' | b'^' | b'\\' | b';' | b')' | b']' | b'}' => None,
            _ => self.direct_atom().map(Direct::plain),
        }
    }

    fn direct_items(&mut self, close: u8, depth: usize) -> Option<Direct> {
        self.at += 1;
        let mut items: Vec<Value> = Vec::new();
        let mut steps = true;
        let mut begins_with_keyword = false;
        loop {
            self.plain_blank();
            let byte = self.peek()?;
            if byte == close {
                self.at += 1;
                break;
            }
            if items.is_empty() {
                begins_with_keyword = byte == b':';
            }
            let item = self.direct(depth + 1)?;
            steps &= item.is_step;
            items.push(item.value);
        }
        items.shrink_to_fit();
        if steps {
            items.iter_mut().for_each(name_step);
        }
        let is_step = close != b'}' && begins_with_keyword && items.len() > 1;
        Some(Direct { value: Value::Array(items), is_step })
    }

    fn direct_map(&mut self, depth: usize) -> Option<Direct> {
        self.at += 1;
        let mut object = Map::new();
        let mut entries = 0;
        loop {
            self.plain_blank();
            let first = self.peek()?;
            if first == b'}' {
                self.at += 1;
                break;
            }
            let key = match (first, self.direct(depth + 1)?.value) {
                (b':', Value::String(mut name)) => {
                    name.remove(0);
                    name
                }
                (b'"', Value::String(text)) => text,
                (_, Value::Number(number)) if number.is_i64() => number.to_string(),
                _ => return None,
            };
            let value = self.direct(depth + 1)?.value;
            if object.insert(key, value).is_some() {
                return None;
            }
            entries += 1;
        }
        self.spend(self.at, budget::map(entries)).ok()?;
        Some(Direct::plain(Value::Object(object)))
    }

    fn direct_text(&mut self) -> Option<Value> {
        let text = self.plain_text()?;
        self.spend(self.at, text.len()).ok()?;
        Some(Value::from(text))
    }

    /// A string without escapes.
    fn plain_text(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let length = self.text.as_bytes()[start..].iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let end = start + length;
        if self.text.as_bytes()[end] != b'"' {
            return None;
        }
        self.at = end + 1;
        Some(&self.text[start..end])
    }

    fn direct_atom(&mut self) -> Option<Value> {
        match self.token() {
            "nil" => Some(Value::Null),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            name if name.starts_with(':') => (name.len() > 1).then(|| Value::from(name)),
            token => small_integer(token).map(Value::from).or_else(|| match lex::number(token) {
                Ok(Edn::Int(number)) if lex::looks_like_number(token) => Some(Value::from(number)),
                Ok(_) | Err(_) => None,
            }),
        }
    }
}

/// A token of digits, if it is short and does not begin with a 0.
fn small_integer(token: &str) -> Option<i64> {
    let digits = token.as_bytes();
    if digits.is_empty() || digits.len() > DIGITS || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// Makes a name of the keyword that a step begins with.
fn name_step(step: &mut Value) {
    if let Value::Array(items) = step
        && let Some(Value::String(name)) = items.first_mut()
    {
        name.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::to_value;
    use super::*;

    fn both(text: &str) -> (Option<Value>, Result<Value, String>) {
        let budget = Budget::new(text.len(), None);
        let mut parser = Parser::new(text.as_bytes()).unwrap();
        parser.begin_direct(budget);
        let direct = parser.direct_value(0).filter(|_| parser.offset() == text.trim_end().len());
        let form = Parser::new(text.as_bytes()).unwrap().form_within(budget);
        (direct, form.map_err(|fault| format!("{fault:?}")).and_then(to_value))
    }

    #[test]
    fn values_in_place_are_those_of_forms() {
        let texts = [
            "nil",
            "true",
            "-3",
            "0",
            ":a",
            "\"b c\"",
            "[]",
            "[1 nil :x]",
            "(1, 2)",
            "[[:append 3 1] [:r 3 nil]]",
            "[[:r 3 [1 2]] [:w 4]]",
            "[[:r] [:w 1]]",
            "[[\"r\" 3 nil]]",
            "#{3 1 :a}",
            "#{[:r 1] [:w 2]}",
            "{:a 1, \"b\" [:c], 3 nil}",
            "[{:x [[:r 1 2]]}]",
            "[#{[:r 1 2]}]",
            "-9223372036854775808",
        ];
        for text in texts {
            let (direct, form) = both(text);
            assert_eq!(direct, form.ok(), "{text}");
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_forms() {
        let texts = [
            "1.5",
            "01",
            "12345678901234567890",
            "1/2",
            "sym",
            "\"a\\n\"",
            "\\a",
            "#inst \"x\"",
            "{:a 1 :a 2}",
            "[1 ; x\n 2]",
            "[1",
            "{:a}",
            ")",
        ];
        for text in texts {
            assert_eq!(both(text).0, None, "{text}");
        }
    }
}

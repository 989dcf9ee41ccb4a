//! Results as XML test reports, in the format of `JUnit` that Jenkins, GitLab and others read.
//!
//! An invalid check is a failure. A check without proof is an error: unknown is not valid.

use super::results::{Case, Results, State, Suite};
use std::fmt::Write;

/// The complete file.
pub(super) fn text(results: &Results) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let seconds: f64 = results.suites.iter().map(|suite| suite.seconds).sum();
    let all = results.count(|_| true);
    let failures = results.count(|state| state == State::Failed);
    let errors = results.count(|state| matches!(state, State::Error(_)));
    line(
        &mut xml,
        0,
        &format!(
            "<testsuites name=\"{}\" tests=\"{all}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{seconds:.3}\">",
            escaped(&results.name)
        ),
    );
    for suite in &results.suites {
        write_suite(&mut xml, results, suite);
    }
    line(&mut xml, 0, "</testsuites>");
    xml
}

fn write_suite(xml: &mut String, results: &Results, suite: &Suite) {
    let count = |wanted: fn(State) -> bool| suite.cases.iter().filter(|case| wanted(case.state)).count();
    let started = results.started.as_deref().map(|time| time.trim_end_matches('Z'));
    let timestamp = started.map_or_else(String::new, |time| format!(" timestamp=\"{}\"", escaped(time)));
    line(
        xml,
        1,
        &format!(
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"{timestamp}>",
            escaped(&suite.name),
            suite.cases.len(),
            count(|state| state == State::Failed),
            count(|state| matches!(state, State::Error(_))),
            count(|state| state == State::Skipped),
            suite.seconds,
        ),
    );
    if !results.properties.is_empty() {
        line(xml, 2, "<properties>");
        for (name, value) in &results.properties {
            line(xml, 3, &format!("<property name=\"{}\" value=\"{}\"/>", escaped(name), escaped(value)));
        }
        line(xml, 2, "</properties>");
    }
    for case in &suite.cases {
        write_case(xml, suite, case);
    }
    if !suite.remarks.is_empty() {
        line(xml, 2, &format!("<system-out>{}</system-out>", escaped(&suite.remarks.join("\n"))));
    }
    line(xml, 1, "</testsuite>");
}

fn write_case(xml: &mut String, suite: &Suite, case: &Case) {
    let head = format!(
        "<testcase name=\"{}\" classname=\"{}\" time=\"0\"",
        escaped(&case.name),
        escaped(&suite.name)
    );
    let element = match case.state {
        State::Passed => {
            line(xml, 2, &format!("{head}/>"));
            return;
        }
        State::Skipped => {
            line(xml, 2, &format!("{head}>"));
            line(xml, 3, &format!("<skipped message=\"{}\"/>", escaped(&case.reason)));
            line(xml, 2, "</testcase>");
            return;
        }
        State::Failed => "failure",
        State::Error(_) => "error",
    };
    let body = [case.reason.as_str()].into_iter().chain(case.evidence.iter().map(String::as_str));
    let body = body.collect::<Vec<_>>().join("\n");
    line(xml, 2, &format!("{head}>"));
    line(
        xml,
        3,
        &format!(
            "<{element} message=\"{}\" type=\"{}\">{}</{element}>",
            escaped(&case.reason),
            case.state.word(),
            escaped(&body)
        ),
    );
    line(xml, 2, "</testcase>");
}

fn line(xml: &mut String, depth: usize, text: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(xml, "{:width$}{text}", "", width = 2 * depth);
}

/// Text escaped for XML 1.0, attributes included. Forbidden characters are written as Rust escapes.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // Parsers normalise these to blanks in an attribute unless they are references.
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            letter if is_forbidden(letter) => escaped.extend(letter.escape_default()),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Whether XML 1.0 cannot represent a character (production 2, Char).
fn is_forbidden(letter: char) -> bool {
    matches!(letter, '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') && !"\t\n\r".contains(letter)
}

//! Broken promises as SARIF 2.1.0, located in the spec, so that code hosts show them beside its text.

use super::results::{Results, State};
use crate::commands::list::CHECKS;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};

/// The characters that a URI reference must escape in a path.
const ODD: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|')
    .add(b':')
    .add(b'[')
    .add(b']');

/// The complete file.
pub(super) fn text(results: &Results) -> String {
    let mut rules: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for suite in &results.suites {
        for case in suite.cases.iter().filter(|case| case.state == State::Failed) {
            let known = rules.iter().position(|rule| *rule == case.check);
            let index = known.unwrap_or_else(|| {
                rules.push(&case.check);
                rules.len() - 1
            });
            let lines = [case.reason.as_str()].into_iter().chain(case.evidence.iter().map(String::as_str));
            found.push(json!({
                "ruleId": case.check,
                "ruleIndex": index,
                "level": "error",
                "message": { "text": lines.collect::<Vec<_>>().join("\n") },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": uri(&suite.file),
                        "region": { "startLine": suite.line },
                    },
                    "logicalLocations": [{ "name": suite.name, "kind": "test" }],
                }],
                // The same promise of the same variant is one alert, however often it is broken.
                "partialFingerprints": { "variantCheck/v1": format!("{} {}", suite.name, case.check) },
            }));
        }
    }
    let failed = results.count(|state| state == State::Error(report::Answer::Failed)) > 0;
    let properties: serde_json::Map<String, Value> =
        results.properties.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "bench",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
            }},
            "invocations": [{ "executionSuccessful": !failed, "exitCode": results.exit }],
            "results": found,
            "properties": properties,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).expect("a JSON value can be written");
    text.push('\n');
    text
}

fn described(rule: &str) -> Value {
    let about = CHECKS.iter().find(|(name, _)| *name == rule).map_or(rule, |(_, about)| about);
    json!({ "id": rule, "name": rule, "shortDescription": { "text": about }, "defaultConfiguration": { "level": "error" } })
}

/// The URI of a file: a relative path belongs to the root of the sources.
fn uri(file: &str) -> Value {
    let encoded = utf8_percent_encode(file, &ODD).to_string();
    match file.strip_prefix('/') {
        Some(_) => json!({ "uri": format!("file://{encoded}") }),
        None => json!({ "uri": encoded.trim_start_matches("./"), "uriBaseId": "%SRCROOT%" }),
    }
}

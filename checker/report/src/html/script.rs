//! The front end of the page: plain JavaScript from `page/`, put together in the order of its parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The parts; each may use the functions of those before it.
const PARTS: [&str; 13] = [
    include_str!("../../page/decode.js"),
    include_str!("../../page/text.js"),
    include_str!("../../page/view.js"),
    include_str!("../../page/summary.js"),
    include_str!("../../page/paint.js"),
    include_str!("../../page/rows.js"),
    include_str!("../../page/lanes.js"),
    include_str!("../../page/messages.js"),
    include_str!("../../page/lists.js"),
    include_str!("../../page/search.js"),
    include_str!("../../page/details.js"),
    include_str!("../../page/input.js"),
    include_str!("../../page/main.js"),
];

/// The whole program, without comments and indentation, which are a sixth of it.
pub(super) fn script() -> String {
    let lines = PARTS.iter().flat_map(|part| part.lines()).map(str::trim_start);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
    format!("(() => {{\n\"use strict\";\n{}\n}})();\n", lines.join("\n"))
}

/// What browsers may load and run for a page with this program: what it holds, and only this program.
pub(super) fn policy(script: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
    format!("{}; script-src 'sha256-{hash}'", super::page::POLICY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_goes_over_several_lines() {
        // It would lose its indentation.
        for line in PARTS.iter().flat_map(|part| part.lines()) {
            assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        }
    }
}

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

/// The whole program.
pub(super) fn script() -> String {
    format!("(() => {{\n\"use strict\";\n{}}})();\n", PARTS.join("\n"))
}

/// What browsers may load and run for a page with this program: what it holds, and only this program.
pub(super) fn policy(script: &str) -> String {
    let hash = STANDARD.encode(Sha256::digest(script.as_bytes()));
    format!("{}; script-src 'sha256-{hash}'", super::page::POLICY)
}

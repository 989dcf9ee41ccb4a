//! `report.html`: the whole run on one page that needs no network and no script.

mod obligations;
pub(crate) mod page;
pub(crate) mod table;
mod tables;

use super::verdict::{Answer, RunVerdict, upper_first};
use std::fmt::Write;

/// The only way text gets onto the page: what has a meaning in HTML is written so that it has none.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Bytes in base64, as `data:` addresses want them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            if digit <= group.len() {
                let index = (bits >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// The page with these PNG files, which are some of [`PICTURES`](super::PICTURES).
pub(crate) fn report(verdict: &RunVerdict, pictures: &[(&'static str, Vec<u8>)]) -> String {
    let mut html = String::with_capacity(pictures.iter().map(|(_, png)| png.len() * 4 / 3 + 2000).sum());
    let spec = escape(&verdict.spec);
    let word = verdict.answer.word();
    let _ = write!(
        html,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\
         <title>{spec}: {word}</title><style>{}</style></head><body><main>",
        page::STYLE
    );
    let _ = write!(
        html,
        "<header><p class=\"spec\">{spec}</p><h1 class=\"{word}\"><span class=\"badge\">{} {word}</span> {}</h1>",
        sign(verdict.answer),
        escape(&rest_of(&verdict.sentence)),
    );
    if !verdict.about.is_empty() {
        let _ = write!(html, "<p class=\"about\">{}</p>", escape(&verdict.about));
    }
    if let Some(reading) = &verdict.reading {
        let _ = write!(html, "<p class=\"reading\">{}</p>", escape(reading));
    }
    html.push_str(&obligations::warnings(verdict));
    html.push_str("</header>");
    html.push_str(&tables::recoveries(verdict));
    html.push_str(&tables::variants(verdict));
    html.push_str("<section><h2>Pictures</h2>");
    for (name, png) in pictures {
        let what = page::caption(name);
        let _ = write!(
            html,
            "<figure><div class=\"wide\"><img alt=\"{what}\" src=\"data:image/png;base64,{}\"></div><figcaption>{what} ({name})</figcaption></figure>",
            base64(png)
        );
    }
    html.push_str("</section>");
    html.push_str(&tables::faults(verdict));
    html.push_str(&tables::checks(verdict));
    html.push_str(page::HOW_TO_READ);
    html.push_str(&tables::origin(verdict));
    html.push_str("</main></body></html>\n");
    html
}

/// The sentence without its first word, which stands beside it as a badge.
fn rest_of(sentence: &str) -> String {
    upper_first(sentence.split_once(": ").map_or(sentence, |(_, rest)| rest))
}

/// A sign for an answer, for those who cannot tell its colour.
fn sign(answer: Answer) -> &'static str {
    match answer {
        Answer::Valid => "✓",
        Answer::Invalid => "✗",
        Answer::Unknown => "?",
        Answer::Failed => "!",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_everybody_writes() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn nothing_with_a_meaning_in_html_passes() {
        assert_eq!(escape("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}

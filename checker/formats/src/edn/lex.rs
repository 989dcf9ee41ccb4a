//! Tokens of EDN: numbers, strings and characters.

use super::Edn;
use std::borrow::Cow;

/// Whether a byte ends a number, a symbol or a keyword.
pub(super) fn is_delimiter(byte: u8) -> bool {
    CLASSES[usize::from(byte)] != 0
}

/// Whether a byte is white space or a comma.
pub(super) fn is_blank(byte: u8) -> bool {
    CLASSES[usize::from(byte)] == BLANK
}

const BLANK: u8 = 1;
const BRACKET: u8 = 2;

/// By byte: what it is between tokens; 0 inside of one.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b',' | 0x0b => BLANK,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b';' => BRACKET,
            _ if byte.is_ascii_whitespace() => BLANK,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Whether a token is a number at all, well formed or not.
pub(super) fn looks_like_number(token: &str) -> bool {
    let digits = token.strip_prefix(['+', '-']).unwrap_or(token);
    digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

/// A number. One that does not fit 64 bits stays text, for readers that do not need its value.
pub(super) fn number(token: &str) -> Result<Edn<'_>, String> {
    let unsigned = token.strip_prefix(['+', '-']).unwrap_or(token);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(unsigned.strip_suffix('N').unwrap_or(unsigned)) {
        let plain = token.strip_suffix('N').unwrap_or(token);
        if unsigned.len() > 1 && unsigned.starts_with('0') && unsigned != "0N" {
            return Err(format!(
                "{token} begins with 0, which some readers take for octal; write it without"
            ));
        }
        return Ok(plain.parse().map_or(Edn::Number(token), Edn::Int));
    }
    let ratio = unsigned.split_once('/').is_some_and(|(above, below)| digits(above) && digits(below));
    let hex = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let is_hex = hex.is_some_and(|hex| !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let decimal = unsigned.strip_suffix('M').is_some_and(is_float);
    if ratio || is_hex || decimal {
        return Ok(Edn::Number(token));
    }
    if is_float(unsigned) {
        return match token.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Edn::Float(float)),
            Ok(_) | Err(_) => Err(format!("the number {token} is too large")),
        };
    }
    Err(format!("{token} is not a number; a symbol cannot begin with a digit"))
}

fn is_float(text: &str) -> bool {
    let mantissa = text.find(['e', 'E']).map_or(text, |e| &text[..e]);
    let exponent = &text[mantissa.len()..];
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_empty() || {
        let exponent = exponent[1..].strip_prefix(['+', '-']).unwrap_or(&exponent[1..]);
        !exponent.is_empty() && digits(exponent)
    };
    !whole.is_empty() && digits(whole) && digits(fraction) && exponent_fits
}

/// The text of a string, without its quotes. The error has its offset in the text.
pub(super) fn unescape(raw: &str) -> Result<Cow<'_, str>, (usize, String)> {
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(backslash) = rest.find('\\') {
        text.push_str(&rest[..backslash]);
        let after = &rest[backslash + 1..];
        let offset = raw.len() - after.len() - 1;
        let (character, length) = escape(after).map_err(|message| (offset, message))?;
        text.push(character);
        rest = &after[length..];
    }
    text.push_str(rest);
    Ok(Cow::Owned(text))
}

/// The character behind an escape, and how many bytes after the backslash it took.
fn escape(after: &str) -> Result<(char, usize), String> {
    let first = after.chars().next().ok_or("the string ends in a backslash")?;
    let simple = match first {
        't' => '\t',
        'r' => '\r',
        'n' => '\n',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '\\' | '"' | '\'' => first,
        'u' => return unicode(after),
        '0'..='7' => {
            let length = after.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let code = u32::from_str_radix(&after[..length], 8).unwrap_or(0);
            return Ok((char::from_u32(code).unwrap_or('\0'), length));
        }
        other => return Err(format!("\\{other} is not an escape; a backslash itself is written \\\\")),
    };
    Ok((simple, 1))
}

fn unicode(after: &str) -> Result<(char, usize), String> {
    let unit = |text: Option<&str>| {
        text.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| u16::from_str_radix(text, 16).ok())
    };
    let high = unit(after.get(1..5)).ok_or("\\u needs four hexadecimal digits")?;
    if let Some(character) = char::from_u32(u32::from(high)) {
        return Ok((character, 5));
    }
    let low = after.get(5..).filter(|rest| rest.starts_with("\\u")).and_then(|rest| unit(rest.get(2..6)));
    low.and_then(|low| char::decode_utf16([high, low]).next()?.ok())
        .map(|character| (character, 11))
        .ok_or_else(|| format!("\\u{high:04x} is half of a surrogate pair"))
}

/// The character behind the name of a character literal, which stands after the backslash.
pub(super) fn character(name: &str) -> Result<char, String> {
    let mut characters = name.chars();
    if let (Some(only), None) = (characters.next(), characters.next()) {
        return Ok(only);
    }
    match name {
        "newline" => Ok('\n'),
        "space" => Ok(' '),
        "tab" => Ok('\t'),
        "return" => Ok('\r'),
        "backspace" => Ok('\u{8}'),
        "formfeed" => Ok('\u{c}'),
        _ if name.len() == 5 && name.starts_with('u') => unicode(name).map(|(character, _)| character),
        _ => Err(format!("\\{name} is not a character")),
    }
}

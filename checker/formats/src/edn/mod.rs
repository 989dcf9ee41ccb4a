//! Clojure's data notation, as far as histories need it: a bounded reader, and values in and out.
//!
//! A reader of our own because the crates there are give no offset of a form in the middle of a file, sort
//! every map and set, know only five string escapes, and nest as deep as the file says, which ends in a stack
//! overflow when such a value is dropped.

mod direct;
mod lex;
mod parse;
mod print;
mod value;

pub use parse::MAX_DEPTH;
pub(super) use parse::Parser;
pub(super) use print::{key as print_key, name as print_name, value as print_value};
pub(super) use value::to_value;

use std::borrow::Cow;

/// One form. Tags and metadata are read and left away.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Edn<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A number that is neither: longer than 64 bits, a ratio, a decimal, `##Inf`; as it is written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// Without its colon.
    Keyword(Cow<'a, str>),
    Symbol(&'a str),
    /// A vector or a list.
    Vector(Vec<Edn<'a>>),
    Set(Vec<Edn<'a>>),
    Map(Vec<(Edn<'a>, Edn<'a>)>),
}

//! A picture as a list of shapes and words, from which PNG and SVG are made.

use super::style::MARGIN;
use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use std::sync::OnceLock;

/// A colour with its opacity from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ink(pub u8, pub u8, pub u8, pub f64);

impl Ink {
    /// The same colour with another opacity.
    pub(crate) fn faded(self, opacity: f64) -> Self {
        Self(self.0, self.1, self.2, opacity)
    }
}

/// The two weights of the built-in font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// For figures and labels.
    Normal,
    /// For titles.
    Bold,
}

/// The point of a text that stands at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its left end.
    Left,
    /// Its middle.
    Middle,
    /// Its right end.
    Right,
}

/// How a text looks: size in pixels of an em, weight, colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen {
    /// Pixels of an em.
    pub size: f64,
    /// Normal or bold.
    pub weight: Weight,
    /// Its colour.
    pub ink: Ink,
}

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    /// Its left edge.
    pub left: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Rect {
    /// Its right edge.
    pub(crate) fn right(self) -> f64 {
        self.left + self.width
    }

    /// Its lower edge.
    pub(crate) fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// A text with its position.
pub(super) struct Word {
    pub(super) left: f64,
    pub(super) baseline: f64,
    pub(super) pen: Pen,
    pub(super) text: String,
}

/// A shape with its colour.
pub(super) enum Shape {
    /// A filled rectangle.
    Rect(Rect, Ink),
    /// What the points enclose.
    Polygon(Vec<(f64, f64)>, Ink),
    /// A circle whose line is so wide, inwards from its radius.
    Ring { centre: (f64, f64), radius: f64, line: f64, ink: Ink },
    /// A line through the points with round joints and ends.
    Path(Vec<(f64, f64)>, f64, Ink),
}

impl Shape {
    /// A straight line as a shape that is filled; none where it has no length.
    pub(super) fn line(from: (f64, f64), to: (f64, f64), width: f64, ink: Ink) -> Option<Self> {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length == 0.0 {
            return None;
        }
        let half = width / 2.0;
        if dx == 0.0 || dy == 0.0 {
            let left = from.0.min(to.0) - if dx == 0.0 { half } else { 0.0 };
            let top = from.1.min(to.1) - if dy == 0.0 { half } else { 0.0 };
            let (width, height) = if dx == 0.0 { (width, dy.abs()) } else { (dx.abs(), width) };
            return Some(Self::Rect(Rect { left, top, width, height }, ink));
        }
        let (nx, ny) = (-dy / length * half, dx / length * half);
        let corners = vec![
            (from.0 + nx, from.1 + ny),
            (to.0 + nx, to.1 + ny),
            (to.0 - nx, to.1 - ny),
            (from.0 - nx, from.1 - ny),
        ];
        Some(Self::Polygon(corners, ink))
    }
}

/// The picture being drawn. All coordinates are units from its upper left; letters have the same size in units on every
/// picture, however wide it is.
pub(crate) struct Canvas {
    pub(super) width: u32,
    pub(crate) height: u32,
    pub(super) shapes: Vec<Shape>,
    pub(super) words: Vec<Word>,
}

impl Canvas {
    /// A white picture.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height, shapes: Vec::new(), words: Vec::new() }
    }

    /// The right edge of what is drawn.
    pub(crate) fn right(&self) -> f64 {
        right_of(self.width)
    }

    /// Fills a rectangle.
    pub(crate) fn fill(&mut self, rect: Rect, ink: Ink) {
        if rect.width > 0.0 && rect.height > 0.0 {
            self.shapes.push(Shape::Rect(rect, ink));
        }
    }

    /// Fills what the points enclose.
    pub(crate) fn polygon(&mut self, points: &[(f64, f64)], ink: Ink) {
        self.shapes.push(Shape::Polygon(points.to_vec(), ink));
    }

    /// A straight line.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, ink: Ink) {
        self.shapes.extend(Shape::line(from, to, width, ink));
    }

    /// A dashed straight line.
    pub(crate) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, ink: Ink) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut along = 0.0;
        while along < length {
            let index = |along: f64| {
                let share = (along / length).min(1.0);
                (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share)
            };
            self.line(index(along), index(along + 10.0), width, ink);
            along += 18.0;
        }
    }

    /// A line through the points with round joints and ends. The ink should be opaque, for in a PNG joints overlap.
    pub(crate) fn path(&mut self, points: &[(f64, f64)], width: f64, ink: Ink) {
        self.shapes.push(Shape::Path(points.to_vec(), width, ink));
    }

    /// A filled circle.
    pub(crate) fn dot(&mut self, centre: (f64, f64), radius: f64, ink: Ink) {
        self.ring(centre, radius, radius, ink);
    }

    /// A circle whose line is so wide, inwards from its radius.
    pub(crate) fn ring(&mut self, centre: (f64, f64), radius: f64, line: f64, ink: Ink) {
        self.shapes.push(Shape::Ring { centre, radius, line, ink });
    }

    /// Puts a text; `baseline` is the line its letters stand on.
    pub(crate) fn text(&mut self, x: f64, baseline: f64, anchor: Anchor, pen: Pen, text: &str) {
        let left = match anchor {
            Anchor::Left => x,
            Anchor::Middle => x - text_width(pen, text) / 2.0,
            Anchor::Right => x - text_width(pen, text),
        };
        self.words.push(Word { left, baseline, pen, text: text.to_owned() });
    }
}

pub(super) fn font(weight: Weight) -> &'static FontRef<'static> {
    static NORMAL: OnceLock<FontRef<'static>> = OnceLock::new();
    static BOLD: OnceLock<FontRef<'static>> = OnceLock::new();
    let (cell, bytes): (_, &[u8]) = match weight {
        Weight::Normal => (&NORMAL, include_bytes!("../../assets/DejaVuSans.ttf")),
        Weight::Bold => (&BOLD, include_bytes!("../../assets/DejaVuSans-Bold.ttf")),
    };
    cell.get_or_init(|| FontRef::try_from_slice(bytes).expect("the built-in font is a font"))
}

/// The glyphs of a text that starts at 0, and its width.
#[expect(clippy::cast_possible_truncation, reason = "the font works in f32")]
pub(super) fn glyphs(pen: Pen, text: &str) -> (Vec<Glyph>, f32) {
    let font = font(pen.weight);
    let em = font.units_per_em().unwrap_or(2048.0);
    let scale = PxScale::from(pen.size as f32 * font.height_unscaled() / em);
    let scaled = font.as_scaled(scale);
    let mut x = 0.0;
    let mut glyphs = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let id = font.glyph_id(letter);
        glyphs.push(id.with_scale_and_position(scale, point(x, 0.0)));
        x += scaled.h_advance(id);
    }
    (glyphs, x)
}

/// How wide a text is, in pixels.
pub(crate) fn text_width(pen: Pen, text: &str) -> f64 {
    f64::from(glyphs(pen, text).1)
}

/// The right edge of what is drawn on a picture of this width.
pub(crate) fn right_of(width: u32) -> f64 {
    f64::from(width) - MARGIN
}

/// The text in lines that are no wider than this, broken between words.
pub(crate) fn wrapped(pen: Pen, text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if text_width(pen, &format!("{line} {word}")) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(fitted(pen, word, width)),
        }
    }
    lines
}

/// The text, or as much of it as fits with an ellipsis.
pub(crate) fn fitted(pen: Pen, text: &str, width: f64) -> String {
    if text_width(pen, text) <= width {
        return text.to_owned();
    }
    let mut letters: Vec<char> = text.chars().collect();
    while letters.pop().is_some() {
        let shorter: String = letters.iter().collect::<String>().trim_end().to_owned() + "…";
        if text_width(pen, &shorter) <= width {
            return shorter;
        }
    }
    String::new()
}

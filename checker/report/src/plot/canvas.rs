//! A picture in memory: shapes drawn at twice the size and averaged down, letters on top, PNG out.

use super::palette;
use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};
use plotters::prelude::{BitMapBackend, DrawingBackend, RGBAColor, ShapeStyle};
use std::sync::OnceLock;

/// Shapes are drawn this many times larger and averaged down, which smooths their edges.
const OVERSAMPLING: u32 = 2;

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

struct Word {
    left: f64,
    baseline: f64,
    pen: Pen,
    text: String,
}

/// The picture being drawn. All coordinates are pixels of the finished picture, from its upper left.
pub(crate) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    words: Vec<Word>,
}

impl Canvas {
    /// A white picture.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let bytes = 3 * (width * OVERSAMPLING) as usize * (height * OVERSAMPLING) as usize;
        Self { width, height, pixels: vec![255; bytes], words: Vec::new() }
    }

    fn draw(&mut self, shape: impl FnOnce(&mut BitMapBackend<'_>) -> bool) {
        let size = (self.width * OVERSAMPLING, self.height * OVERSAMPLING);
        let mut backend = BitMapBackend::with_buffer(&mut self.pixels, size);
        assert!(shape(&mut backend), "drawing into memory cannot fail");
    }

    /// Fills a rectangle.
    pub(crate) fn fill(&mut self, rect: Rect, ink: Ink) {
        let (from, to) = (at(rect.left, rect.top), at(rect.right(), rect.bottom()));
        if from.0 < to.0 && from.1 < to.1 {
            self.draw(|backend| backend.draw_rect(from, to, &style(ink), true).is_ok());
        }
    }

    /// Fills what the points enclose.
    pub(crate) fn polygon(&mut self, points: &[(f64, f64)], ink: Ink) {
        let points: Vec<_> = points.iter().map(|point| at(point.0, point.1)).collect();
        self.draw(|backend| backend.fill_polygon(points, &style(ink)).is_ok());
    }

    /// A straight line.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, ink: Ink) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        if length == 0.0 {
            return;
        }
        let half = width / 2.0;
        if dx == 0.0 || dy == 0.0 {
            let left = from.0.min(to.0) - if dx == 0.0 { half } else { 0.0 };
            let top = from.1.min(to.1) - if dy == 0.0 { half } else { 0.0 };
            let (width, height) = if dx == 0.0 { (width, dy.abs()) } else { (dx.abs(), width) };
            self.fill(Rect { left, top, width, height }, ink);
            return;
        }
        let (nx, ny) = (-dy / length * half, dx / length * half);
        self.polygon(
            &[
                (from.0 + nx, from.1 + ny),
                (to.0 + nx, to.1 + ny),
                (to.0 - nx, to.1 - ny),
                (from.0 - nx, from.1 - ny),
            ],
            ink,
        );
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

    /// A line through the points with round joints. The ink should be opaque, for joints overlap.
    pub(crate) fn path(&mut self, points: &[(f64, f64)], width: f64, ink: Ink) {
        for pair in points.windows(2) {
            self.line(pair[0], pair[1], width, ink);
        }
        for point in points {
            self.dot(*point, width / 2.0, ink);
        }
    }

    /// A filled circle.
    pub(crate) fn dot(&mut self, centre: (f64, f64), radius: f64, ink: Ink) {
        self.ring(centre, radius, radius, ink);
    }

    /// A circle whose line is so wide, inwards from its radius.
    pub(crate) fn ring(&mut self, centre: (f64, f64), radius: f64, line: f64, ink: Ink) {
        let scale = f64::from(OVERSAMPLING);
        let (size_x, size_y) = (self.width * OVERSAMPLING, self.height * OVERSAMPLING);
        let (x, y, radius) = (centre.0 * scale, centre.1 * scale, radius * scale);
        let hole = radius - line * scale;
        let (left, right) = (whole(x - radius).max(0), whole(x + radius).min(whole(f64::from(size_x)) - 1));
        let (top, bottom) = (whole(y - radius).max(0), whole(y + radius).min(whole(f64::from(size_y)) - 1));
        for row in top..=bottom {
            for column in left..=right {
                let distance = (f64::from(column) + 0.5 - x).hypot(f64::from(row) + 0.5 - y);
                let inside = if hole > 0.0 { (hole + 0.5 - distance).clamp(0.0, 1.0) } else { 0.0 };
                let cover = (radius + 0.5 - distance).clamp(0.0, 1.0) - inside;
                if cover > 0.0 {
                    let (row, column) = (row.unsigned_abs() as usize, column.unsigned_abs() as usize);
                    let index = 3 * (row * size_x as usize + column);
                    blend(&mut self.pixels[index..index + 3], ink, cover * ink.3);
                }
            }
        }
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

    /// The finished picture: width, height, and three bytes a pixel.
    pub(crate) fn finish(self) -> (u32, u32, Vec<u8>) {
        let mut pixels = self.averaged();
        for word in &self.words {
            draw_word(&mut pixels, self.width, self.height, word);
        }
        (self.width, self.height, pixels)
    }

    fn averaged(&self) -> Vec<u8> {
        let (width, height, times) = (self.width as usize, self.height as usize, OVERSAMPLING as usize);
        let mut averaged = Vec::with_capacity(3 * width * height);
        for row in 0..height {
            for column in 0..width {
                for channel in 0..3 {
                    let mut sum = 0_usize;
                    for y in 0..times {
                        for x in 0..times {
                            let index = (row * times + y) * width * times + column * times + x;
                            sum += usize::from(self.pixels[3 * index + channel]);
                        }
                    }
                    let mean = (sum + times * times / 2) / (times * times);
                    averaged.push(u8::try_from(mean).unwrap_or(u8::MAX));
                }
            }
        }
        averaged
    }

    /// The finished picture as a PNG file.
    pub(crate) fn png(self) -> Vec<u8> {
        let (width, height, pixels) = self.finish();
        let indexed = palette::indexed(&pixels);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let bytes = if let Some(indexed) = indexed {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(indexed.palette);
            // Numbers of colours have no order that a filter could use.
            encoder.set_filter(png::Filter::NoFilter);
            indexed.indexes
        } else {
            encoder.set_color(png::ColorType::Rgb);
            pixels
        };
        let mut writer = encoder.write_header().expect("a PNG header can be written to memory");
        writer.write_image_data(&bytes).expect("there are as many bytes as the header says");
        writer.finish().expect("a PNG file can be finished in memory");
        file
    }
}

fn at(x: f64, y: f64) -> (i32, i32) {
    let scale = f64::from(OVERSAMPLING);
    (whole((x * scale).round()), whole((y * scale).round()))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "places in a picture are small, and `as` clamps the rest"
)]
fn whole(value: f64) -> i32 {
    value.floor() as i32
}

fn style(ink: Ink) -> ShapeStyle {
    ShapeStyle { color: RGBAColor(ink.0, ink.1, ink.2, ink.3), filled: true, stroke_width: 1 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mix of two bytes is a byte")]
fn blend(pixel: &mut [u8], ink: Ink, opacity: f64) {
    for (byte, colour) in pixel.iter_mut().zip([ink.0, ink.1, ink.2]) {
        *byte = (f64::from(*byte) * (1.0 - opacity) + f64::from(colour) * opacity).round() as u8;
    }
}

fn font(weight: Weight) -> &'static FontRef<'static> {
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
fn glyphs(pen: Pen, text: &str) -> (Vec<Glyph>, f32) {
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

fn draw_word(pixels: &mut [u8], width: u32, height: u32, word: &Word) {
    let font = font(word.pen.weight);
    for mut glyph in glyphs(word.pen, &word.text).0 {
        #[expect(clippy::cast_possible_truncation, reason = "the font works in f32")]
        let (x, y) = (word.left as f32, word.baseline as f32);
        glyph.position.x += x;
        glyph.position.y += y.round();
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let bounds = outline.px_bounds();
        outline.draw(|x, y, cover| {
            let column = i64::from(x) + i64::from(whole(f64::from(bounds.min.x)));
            let row = i64::from(y) + i64::from(whole(f64::from(bounds.min.y)));
            let inside = (0..i64::from(width)).contains(&column) && (0..i64::from(height)).contains(&row);
            let index = usize::try_from(3 * (row * i64::from(width) + column)).unwrap_or(0);
            if inside {
                blend(&mut pixels[index..index + 3], word.pen.ink, f64::from(cover) * word.pen.ink.3);
            }
        });
    }
}

//! A canvas as SVG. Each text has the width that the built-in font gives it, so that nothing overlaps with another font.

use super::canvas::{Canvas, Ink, Shape, Weight, Word, text_width};
use super::size::PictureOptions;
use std::fmt::Write;

/// A rectangle at least this wide and high, in units, has crisp edges, so that no seam shows between two of them. A thinner
/// one is smoothed: where a picture is shown smaller, crisp lines of one unit may fall between two rows of pixels.
const CRISP: f64 = 3.0;

impl Canvas {
    /// The picture as an SVG file of this size.
    pub(crate) fn svg(&self, options: &PictureOptions) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        self.svg_element(&format!(
            "xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\"",
            options.svg_length(width, width),
            options.svg_length(width, height)
        ))
        .into_bytes()
    }

    /// The picture as a part of an HTML page, which sets its size.
    pub(crate) fn inline_svg(&self, label: &str) -> String {
        self.svg_element(&format!("class=\"picture\" role=\"img\" aria-label=\"{}\"", escaped(label)))
    }

    fn svg_element(&self, attributes: &str) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg {attributes} viewBox=\"0 0 {width} {height}\" font-family=\"'DejaVu Sans',Verdana,sans-serif\">\n\
             <path fill=\"#fff\" d=\"M0 0h{width}v{height}H0z\"/>\n"
        );
        let shapes: Vec<_> = self.shapes.iter().map(|shape| (style(shape), shape)).collect();
        for alike in shapes.chunk_by(|a, b| a.0 == b.0) {
            let _ = writeln!(svg, "<g {}>", alike[0].0);
            for beside in alike.chunk_by(|a, b| are_beside(a.1, b.1)) {
                svg.push_str(&element(beside));
            }
            svg.push_str("</g>\n");
        }
        let words = self.words.iter().filter(|word| !word.text.trim().is_empty());
        let words: Vec<_> = words.map(|word| (pen(word), word)).collect();
        for alike in words.chunk_by(|a, b| a.0 == b.0) {
            let _ = writeln!(svg, "<g {}>", alike[0].0);
            svg.extend(alike.iter().map(|(_, word)| text(word)));
            svg.push_str("</g>\n");
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// What shapes that follow one another may have in common.
fn style(shape: &Shape) -> String {
    match shape {
        Shape::Rect(rect, ink) if rect.width >= CRISP && rect.height >= CRISP => {
            format!("{} shape-rendering=\"crispEdges\"", paint("fill", *ink))
        }
        Shape::Rect(_, ink) | Shape::Polygon(_, ink) => paint("fill", *ink),
        Shape::Ring { radius, line, ink, .. } => {
            let (line, end) =
                if line < radius { (*line, "") } else { (radius * 2.0, "stroke-linecap=\"round\" ") };
            format!("fill=\"none\" {end}stroke-width=\"{}\" {}", Tenths::of(line), paint("stroke", *ink))
        }
        Shape::Path(_, width, ink) => format!(
            "fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\" stroke-width=\"{}\" {}",
            Tenths::of(*width),
            paint("stroke", *ink)
        ),
    }
}

/// The colour of an area or a line.
fn paint(what: &str, ink: Ink) -> String {
    let Ink(red, green, blue, opacity) = ink;
    let opacity = if opacity < 1.0 { format!(" {what}-opacity=\"{opacity:.2}\"") } else { String::new() };
    format!("{what}=\"#{red:02x}{green:02x}{blue:02x}\"{opacity}")
}

/// Whether two shapes are rectangles of which the second begins where the first ends, or further right. Many in a row do not
/// overlap either, so that they can be one path without a change of the picture.
fn are_beside(first: &Shape, second: &Shape) -> bool {
    matches!((first, second), (Shape::Rect(first, _), Shape::Rect(second, _)) if second.left >= first.right())
}

/// The element of a shape, or of rectangles beside one another.
fn element(shapes: &[(String, &Shape)]) -> String {
    if let [(_, Shape::Ring { centre, radius, line, .. })] = shapes
        && line < radius
    {
        let [x, y, middle] = [centre.0, centre.1, radius - line / 2.0].map(Tenths::of);
        return format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{middle}\"/>\n");
    }
    let path: String = shapes.iter().map(|(_, shape)| path(shape)).collect();
    if path.is_empty() { path } else { format!("<path d=\"{path}\"/>\n") }
}

fn path(shape: &Shape) -> String {
    match shape {
        Shape::Rect(rect, _) => {
            let (right, bottom) = (rect.right(), rect.bottom());
            let corners = [(rect.left, rect.top), (right, rect.top), (right, bottom), (rect.left, bottom)];
            steps(&corners) + "z"
        }
        Shape::Polygon(points, _) => steps(points) + "z",
        // A line without length has two round ends, which make a circle.
        Shape::Ring { centre, .. } => steps(&[*centre]),
        Shape::Path(points, ..) => steps(points),
    }
}

/// A line through the points as SVG writes paths: the first absolute, each other relative to the one before.
fn steps(points: &[(f64, f64)]) -> String {
    let mut points = points.iter().map(|(x, y)| (Tenths::of(*x), Tenths::of(*y)));
    let Some(mut last) = points.next() else { return String::new() };
    let mut path = format!("M{} {}", last.0, last.1);
    let mut moved = false;
    for point in points {
        let (x, y) = (Tenths(point.0.0 - last.0.0), Tenths(point.1.0 - last.1.0));
        let _ = match (x.0, y.0) {
            (0, 0) => continue,
            (_, 0) => write!(path, "h{x}"),
            (0, _) => write!(path, "v{y}"),
            _ => write!(path, "l{x} {y}"),
        };
        (last, moved) = (point, true);
    }
    if !moved {
        path.push_str("h0");
    }
    path
}

/// What texts that follow one another may have in common.
fn pen(word: &Word) -> String {
    let weight = if word.pen.weight == Weight::Bold { " font-weight=\"bold\"" } else { "" };
    format!("{} font-size=\"{}\"{weight}", paint("fill", word.pen.ink), Tenths::of(word.pen.size))
}

fn text(word: &Word) -> String {
    let [x, y, length] = [word.left, word.baseline, text_width(word.pen, &word.text)].map(Tenths::of);
    format!(
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
        escaped(&word.text)
    )
}

/// A length in tenths of a unit, which is as exact as an eye can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tenths(i64);

impl Tenths {
    #[expect(clippy::cast_possible_truncation, reason = "lengths in a picture are small")]
    fn of(length: f64) -> Self {
        Self((length * 10.0).round() as i64)
    }
}

impl std::fmt::Display for Tenths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, whole, part) = (if self.0 < 0 { "-" } else { "" }, self.0.abs() / 10, self.0.abs() % 10);
        if part == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{part}") }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no way to write these.
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::{Anchor, Rect};
    use crate::plot::style::{DARK, LABEL, OK};

    #[test]
    fn text_keeps_its_width_and_is_escaped() {
        let mut canvas = Canvas::new(400, 100);
        canvas.fill(Rect { left: 1.0, top: 2.0, width: 3.5, height: 4.0 }, OK.faded(0.5));
        canvas.fill(Rect { left: 4.5, top: 2.0, width: 3.0, height: 5.0 }, OK.faded(0.5));
        canvas.fill(Rect { left: 4.5, top: 20.0, width: 3.0, height: 5.0 }, OK.faded(0.5));
        canvas.dot((5.0, 6.0), 2.0, DARK);
        canvas.ring((5.0, 6.0), 4.0, 1.0, DARK);
        canvas.path(&[(1.0, 2.0), (10.0, 2.0), (10.0, -2.0), (10.5, -2.5)], 2.0, DARK);
        canvas.text(10.0, 50.0, Anchor::Left, LABEL, "a <b> & \u{1b}");
        let svg = String::from_utf8(canvas.svg(&PictureOptions::default())).unwrap();
        assert!(
            svg.contains(
                "<g fill=\"#3a86c8\" fill-opacity=\"0.50\" shape-rendering=\"crispEdges\">\n<path d=\"M1 2h3.5v4h-3.5zM4.5 2h3v5h-3z\"/>\n\
                 <path d=\"M4.5 20h3v5h-3z\"/>\n</g>"
            ),
            "{svg}"
        );
        assert!(svg.contains("<path d=\"M5 6h0\"/>"), "{svg}");
        assert!(svg.contains("<circle cx=\"5\" cy=\"6\" r=\"3.5\"/>"), "{svg}");
        assert!(svg.contains("d=\"M1 2h9v-4l0.5 -0.5\""), "{svg}");
        let width = Tenths::of(text_width(LABEL, "a <b> & \u{1b}"));
        assert!(svg.contains(&format!("textLength=\"{width}\"")), "{svg}");
        assert!(svg.contains(">a &lt;b&gt; &amp; \u{fffd}</text>"), "{svg}");
    }
}

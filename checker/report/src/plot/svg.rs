//! A canvas as SVG. Each text has the width that the built-in font gives it, so that nothing overlaps with another font.

use super::canvas::{Canvas, Ink, Shape, Weight, Word, text_width};
use super::size::PictureOptions;
use std::fmt::Write;

impl Canvas {
    /// The picture as an SVG file of this size.
    pub(crate) fn svg(&self, options: &PictureOptions) -> Vec<u8> {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"'DejaVu Sans',Verdana,sans-serif\">\n\
             <style>path{{shape-rendering:crispEdges}}</style>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
            options.svg_length(width, width),
            options.svg_length(width, height)
        );
        let mut shapes = self.shapes.iter().peekable();
        while let Some(shape) = shapes.next() {
            let ink = ink_of(shape);
            let _ = writeln!(svg, "<g {}>", fill(ink));
            element(&mut svg, shape);
            while let Some(next) = shapes.next_if(|next| ink_of(next) == ink) {
                element(&mut svg, next);
            }
            svg.push_str("</g>\n");
        }
        for word in &self.words {
            text(&mut svg, word);
        }
        svg.push_str("</svg>\n");
        svg.into_bytes()
    }
}

fn ink_of(shape: &Shape) -> Ink {
    match shape {
        Shape::Rect(_, ink) | Shape::Polygon(_, ink) | Shape::Ring { ink, .. } => *ink,
    }
}

fn fill(ink: Ink) -> String {
    let Ink(red, green, blue, opacity) = ink;
    let opacity = if opacity < 1.0 { format!(" fill-opacity=\"{}\"", short(opacity)) } else { String::new() };
    format!("fill=\"#{red:02x}{green:02x}{blue:02x}\"{opacity}")
}

// A `String` takes every write.
fn element(svg: &mut String, shape: &Shape) {
    match shape {
        Shape::Rect(rect, _) => {
            let [x, y, width, height] = [rect.left, rect.top, rect.width, rect.height].map(short);
            let _ = writeln!(svg, "<path d=\"M{x} {y}h{width}v{height}h-{width}z\"/>");
        }
        Shape::Polygon(points, _) => {
            let points: Vec<String> =
                points.iter().map(|(x, y)| format!("{},{}", short(*x), short(*y))).collect();
            let _ = writeln!(svg, "<polygon points=\"{}\"/>", points.join(" "));
        }
        Shape::Ring { centre, radius, line, .. } if line < radius => {
            let [x, y, middle, line] = [centre.0, centre.1, radius - line / 2.0, *line].map(short);
            let Ink(red, green, blue, opacity) = ink_of(shape);
            let _ = writeln!(
                svg,
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"{middle}\" fill=\"none\" stroke=\"#{red:02x}{green:02x}{blue:02x}\" \
                 stroke-opacity=\"{}\" stroke-width=\"{line}\"/>",
                short(opacity)
            );
        }
        Shape::Ring { centre, radius, .. } => {
            let [x, y, radius] = [centre.0, centre.1, *radius].map(short);
            let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>");
        }
    }
}

fn text(svg: &mut String, word: &Word) {
    if word.text.trim().is_empty() {
        return;
    }
    let weight = if word.pen.weight == Weight::Bold { " font-weight=\"bold\"" } else { "" };
    let [x, y, size, length] =
        [word.left, word.baseline, word.pen.size, text_width(word.pen, &word.text)].map(short);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{weight} {} textLength=\"{length}\" \
         lengthAdjust=\"spacingAndGlyphs\">{}</text>",
        fill(word.pen.ink),
        escaped(&word.text)
    );
}

/// A number with two decimals at most.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
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
        canvas.dot((5.0, 6.0), 2.0, DARK);
        canvas.ring((5.0, 6.0), 4.0, 1.0, DARK);
        canvas.text(10.0, 50.0, Anchor::Left, LABEL, "a <b> & \u{1b}");
        let svg = String::from_utf8(canvas.svg(&PictureOptions::default())).unwrap();
        assert!(
            svg.contains("<g fill=\"#3a86c8\" fill-opacity=\"0.5\">\n<path d=\"M1 2h3.5v4h-3.5z\"/>"),
            "{svg}"
        );
        assert!(
            svg.contains("r=\"3.5\" fill=\"none\"") && svg.contains("<circle cx=\"5\" cy=\"6\" r=\"2\"/>"),
            "{svg}"
        );
        let width = text_width(LABEL, "a <b> & \u{1b}");
        assert!(svg.contains(&format!("textLength=\"{}\"", short(width))), "{svg}");
        assert!(svg.contains(">a &lt;b&gt; &amp; \u{fffd}</text>"), "{svg}");
    }
}

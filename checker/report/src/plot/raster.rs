//! A canvas as PNG: shapes drawn at twice the size and averaged down, letters on top.

use super::canvas::{Canvas, Ink, Shape, Word, font, glyphs};
use super::palette;
use super::size::PictureOptions;
use ab_glyph::Font;
use plotters::prelude::{BitMapBackend, DrawingBackend, RGBAColor, ShapeStyle};

/// Shapes are drawn this many times larger and averaged down, which smooths their edges.
const OVERSAMPLING: u32 = 2;

impl Canvas {
    /// The picture as a PNG file of this size.
    pub(crate) fn png(&self, options: &PictureOptions) -> Vec<u8> {
        let scale = options.scale(self.width);
        let (width, height) = (scaled(self.width, scale), scaled(self.height, scale));
        let mut raster = Raster {
            width: width * OVERSAMPLING,
            height: height * OVERSAMPLING,
            scale: scale * f64::from(OVERSAMPLING),
            pixels: vec![255; 3 * (width * OVERSAMPLING) as usize * (height * OVERSAMPLING) as usize],
        };
        for shape in &self.shapes {
            raster.draw(shape);
        }
        let mut pixels = averaged(&raster.pixels, width as usize, height as usize);
        // It has four pixels for each of the averaged picture, which is all that is needed from here on.
        drop(raster);
        for word in &self.words {
            draw_word(&mut pixels, width, height, word, scale);
        }
        encoded(width, height, pixels, options)
    }
}

/// The pixels of the shapes, before they are averaged down.
struct Raster {
    width: u32,
    height: u32,
    /// Pixels of this raster for each of the canvas.
    scale: f64,
    pixels: Vec<u8>,
}

impl Raster {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Rect(rect, ink) => {
                let (from, to) = (self.at(rect.left, rect.top), self.at(rect.right(), rect.bottom()));
                if from.0 < to.0 && from.1 < to.1 {
                    self.with(|backend| backend.draw_rect(from, to, &style(*ink), true).is_ok());
                }
            }
            Shape::Polygon(points, ink) => {
                let points: Vec<_> = points.iter().map(|point| self.at(point.0, point.1)).collect();
                self.with(|backend| backend.fill_polygon(points, &style(*ink)).is_ok());
            }
            Shape::Ring { centre, radius, line, ink } => self.ring(*centre, *radius, *line, *ink),
            Shape::Path(points, width, ink) => {
                for pair in points.windows(2) {
                    if let Some(line) = Shape::line(pair[0], pair[1], *width, *ink) {
                        self.draw(&line);
                    }
                }
                for point in points {
                    self.ring(*point, width / 2.0, width / 2.0, *ink);
                }
            }
        }
    }

    fn with(&mut self, shape: impl FnOnce(&mut BitMapBackend<'_>) -> bool) {
        let mut backend = BitMapBackend::with_buffer(&mut self.pixels, (self.width, self.height));
        assert!(shape(&mut backend), "drawing into memory cannot fail");
    }

    fn ring(&mut self, centre: (f64, f64), radius: f64, line: f64, ink: Ink) {
        let scale = self.scale;
        let (x, y, radius) = (centre.0 * scale, centre.1 * scale, radius * scale);
        let hole = radius - line * scale;
        let (left, right) =
            (whole(x - radius).max(0), whole(x + radius).min(whole(f64::from(self.width)) - 1));
        let (top, bottom) =
            (whole(y - radius).max(0), whole(y + radius).min(whole(f64::from(self.height)) - 1));
        for row in top..=bottom {
            for column in left..=right {
                let distance = (f64::from(column) + 0.5 - x).hypot(f64::from(row) + 0.5 - y);
                let inside = if hole > 0.0 { (hole + 0.5 - distance).clamp(0.0, 1.0) } else { 0.0 };
                let cover = (radius + 0.5 - distance).clamp(0.0, 1.0) - inside;
                if cover > 0.0 {
                    let (row, column) = (row.unsigned_abs() as usize, column.unsigned_abs() as usize);
                    let index = 3 * (row * self.width as usize + column);
                    blend(&mut self.pixels[index..index + 3], ink, cover * ink.3);
                }
            }
        }
    }

    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        (whole((x * self.scale).round()), whole((y * self.scale).round()))
    }
}

fn averaged(pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let times = OVERSAMPLING as usize;
    let mut averaged = Vec::with_capacity(3 * width * height);
    for row in 0..height {
        for column in 0..width {
            for channel in 0..3 {
                let mut sum = 0_usize;
                for y in 0..times {
                    for x in 0..times {
                        let index = (row * times + y) * width * times + column * times + x;
                        sum += usize::from(pixels[3 * index + channel]);
                    }
                }
                let mean = (sum + times * times / 2) / (times * times);
                averaged.push(u8::try_from(mean).unwrap_or(u8::MAX));
            }
        }
    }
    averaged
}

fn encoded(width: u32, height: u32, pixels: Vec<u8>, options: &PictureOptions) -> Vec<u8> {
    let indexed = palette::indexed(&pixels);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    // A higher level saves 8 % of the bytes and takes six times as long.
    encoder.set_compression(png::Compression::Balanced);
    if let Some(pixels) = options.pixels_per_metre() {
        encoder.set_pixel_dims(Some(png::PixelDimensions {
            xppu: pixels,
            yppu: pixels,
            unit: png::Unit::Meter,
        }));
    }
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

fn draw_word(pixels: &mut [u8], width: u32, height: u32, word: &Word, scale: f64) {
    let font = font(word.pen.weight);
    let pen = super::canvas::Pen { size: word.pen.size * scale, ..word.pen };
    for mut glyph in glyphs(pen, &word.text).0 {
        #[expect(clippy::cast_possible_truncation, reason = "the font works in f32")]
        let (x, y) = ((word.left * scale) as f32, (word.baseline * scale) as f32);
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pictures are small and not negative"
)]
fn scaled(length: u32, scale: f64) -> u32 {
    ((f64::from(length) * scale).round() as u32).max(1)
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

//! How large pictures are, and in which formats they are written.

use super::style::WIDTH;

/// Inches of a metre.
const INCHES: f64 = 1.0 / 0.0254;
/// Dots an inch of a picture whose width is a length, unless somebody says otherwise.
const PRINT: u32 = 300;
/// Units of a picture on an inch of paper: labels of 24 units are 7.5 points high there.
const UNITS: f64 = 230.0;

/// A width, in pixels or as a length on paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PictureWidth {
    /// In pixels.
    Pixels(u32),
    /// In metres; how many pixels that is depends on the dots an inch.
    Metres(f64),
}

/// How pictures are written.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PictureOptions {
    /// Their width; 1800 pixels if none.
    pub width: Option<PictureWidth>,
    /// Dots an inch, which a program that prints the picture goes by.
    pub dpi: Option<u32>,
    /// Whether an SVG is written beside each PNG.
    pub svg: bool,
}

impl PictureOptions {
    /// How many units wide a picture is drawn, so that its letters have their size whatever its width: in pixels, or on
    /// paper where the dots an inch are known. Below the least width letters are smaller.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a width is small and positive"
    )]
    pub(crate) fn units(&self, least: u32) -> u32 {
        let Some(pixels) = self.pixels() else { return WIDTH };
        let print = matches!(self.width, Some(PictureWidth::Metres(_))).then_some(PRINT);
        let unit = self.dpi.or(print).map_or(1.0, |dpi| f64::from(dpi) / UNITS);
        ((pixels / unit).round() as u32).max(least)
    }

    fn pixels(&self) -> Option<f64> {
        let pixels = match self.width? {
            PictureWidth::Pixels(pixels) => f64::from(pixels),
            PictureWidth::Metres(metres) => metres * INCHES * f64::from(self.dpi.unwrap_or(PRINT)),
        };
        Some(pixels.round().max(1.0))
    }

    /// Pixels for each unit of a picture that is so many units wide.
    pub(super) fn scale(&self, width: u32) -> f64 {
        self.pixels().map_or(1.0, |pixels| pixels / f64::from(width))
    }

    /// The density that is written into a file; none where nobody asked for one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a density is small and positive"
    )]
    pub(super) fn pixels_per_metre(&self) -> Option<u32> {
        let print = matches!(self.width, Some(PictureWidth::Metres(_))).then_some(PRINT);
        self.dpi.or(print).map(|dpi| (f64::from(dpi) * INCHES).round() as u32)
    }

    /// A length of a picture of this width as SVG has it: on paper a length, else pixels.
    pub(super) fn svg_length(&self, width: u32, length: u32) -> String {
        match self.width {
            Some(PictureWidth::Metres(metres)) => {
                format!("{:.1}mm", metres * 1e3 * f64::from(length) / f64::from(width))
            }
            Some(PictureWidth::Pixels(_)) | None => format!("{:.0}", f64::from(length) * self.scale(width)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_becomes_pixels_by_its_density() {
        let paper = |dpi| PictureOptions { width: Some(PictureWidth::Metres(0.0254 * 6.0)), dpi, svg: false };
        assert!((paper(None).scale(1800) - 1.0).abs() < 1e-9, "6 inches of 300 dots");
        assert!((paper(Some(600)).scale(1800) - 2.0).abs() < 1e-9);
        assert_eq!(paper(None).pixels_per_metre(), Some(11_811));
        assert_eq!(PictureOptions::default().pixels_per_metre(), None);
        assert_eq!(paper(None).svg_length(1800, 900), "76.2mm");
        assert_eq!(
            (paper(None).units(780), paper(Some(600)).units(780)),
            (1380, 1380),
            "letters of one size"
        );
        let pixels =
            |width| PictureOptions { width: Some(PictureWidth::Pixels(width)), dpi: None, svg: false };
        assert_eq!((pixels(1200).units(780), pixels(300).units(780)), (1200, 780));
        assert_eq!(PictureOptions::default().units(780), 1800);
        assert_eq!(PictureOptions::default().svg_length(1800, 900), "900");
    }
}

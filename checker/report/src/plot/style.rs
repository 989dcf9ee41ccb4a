//! Colours, sizes and pens, in one file, so that all pictures look like one.

use super::canvas::{Ink, Pen, Weight};

/// Width of every picture where nobody asks for another, in pixels: twice what a page shows.
pub(crate) const WIDTH: u32 = 1800;
/// Units of the narrowest picture on which letters have their usual size. On narrower ones they are smaller.
pub(crate) const NARROWEST: u32 = 780;
/// The same for pictures with bars beside their panels.
pub(crate) const NARROWEST_WITH_BARS: u32 = 1300;
/// Pictures narrower than this have figures below headings, not beside them.
pub(crate) const NARROW: f64 = 1400.0;
/// The left edge of everything that is drawn.
pub(crate) const MARGIN: f64 = 48.0;
/// The left edge of the data; the labels of the y axis stand before it.
pub(crate) const PLOT_LEFT: f64 = 190.0;

/// Titles and figures.
pub(crate) const DARK: Ink = Ink(23, 32, 42, 1.0);
/// Labels.
pub(crate) const GREY: Ink = Ink(84, 96, 108, 1.0);
/// Axes and the borders of phases.
pub(crate) const AXIS: Ink = Ink(148, 158, 168, 1.0);
/// Lines of the grid at labelled ticks.
pub(crate) const GRID: Ink = Ink(224, 228, 233, 1.0);
/// Lines of the grid between them.
pub(crate) const FINE_GRID: Ink = Ink(241, 243, 246, 1.0);
/// The ground under phases that are not the load.
pub(crate) const ASIDE: Ink = Ink(96, 108, 124, 0.075);
/// A halo that keeps lines apart from points.
pub(crate) const WHITE: Ink = Ink(255, 255, 255, 1.0);

/// Operations that happened.
pub(crate) const OK: Ink = Ink(58, 134, 200, 1.0);
/// Compare-and-sets that found another value: calm, for that is an answer.
pub(crate) const REFUSED: Ink = Ink(104, 126, 150, 1.0);
/// Operations of unknown outcome.
pub(crate) const INFO: Ink = Ink(232, 145, 0, 1.0);
/// Operations that certainly did not happen.
pub(crate) const FAIL: Ink = Ink(170, 24, 104, 1.0);
/// The median.
pub(crate) const MEDIAN: Ink = Ink(12, 44, 84, 1.0);
/// The 99th percentile.
pub(crate) const TAIL: Ink = Ink(96, 52, 148, 1.0);

/// The pen for the title of a picture.
pub(crate) const TITLE: Pen = Pen { size: 40.0, weight: Weight::Bold, ink: DARK };
/// The pen for the title of a panel.
pub(crate) const HEADING: Pen = Pen { size: 30.0, weight: Weight::Bold, ink: DARK };
/// The pen for sentences and legends.
pub(crate) const PROSE: Pen = Pen { size: 26.0, weight: Weight::Normal, ink: GREY };
/// The pen for figures that should be seen.
pub(crate) const FIGURE: Pen = Pen { size: 26.0, weight: Weight::Bold, ink: DARK };
/// The pen for ticks and the names of phases and faults.
pub(crate) const LABEL: Pen = Pen { size: 24.0, weight: Weight::Normal, ink: GREY };

/// The colour of a variant: Okabe and Ito's, which colour-blind readers can tell apart.
pub(crate) fn variant(index: usize) -> Ink {
    const INKS: [Ink; 6] = [
        Ink(213, 94, 0, 1.0),
        Ink(0, 114, 178, 1.0),
        Ink(0, 158, 115, 1.0),
        Ink(204, 121, 167, 1.0),
        Ink(70, 70, 70, 1.0),
        Ink(86, 180, 233, 1.0),
    ];
    INKS[index % INKS.len()]
}

/// The colour of a kind of fault in pictures, as red, green and blue. A kind that is not named here gets one of the
/// colours that depends on its word alone.
pub fn fault_colour(kind: &str) -> [u8; 3] {
    const RED: [u8; 3] = [206, 72, 60];
    const PURPLE: [u8; 3] = [112, 102, 190];
    const YELLOW: [u8; 3] = [198, 150, 20];
    const TEAL: [u8; 3] = [30, 140, 140];
    const BROWN: [u8; 3] = [150, 84, 40];
    const BLUE: [u8; 3] = [66, 108, 214];
    const GREEN: [u8; 3] = [62, 140, 74];
    match kind {
        "kill" | "stop" | "lose-node" | "restart-all" | "rolling-restart" | "power-loss" | "torn-write"
        | "crash-image" | "bit-flip" | "truncate" => RED,
        "pause" | "slow" => PURPLE,
        "partition" | "one-way" | "swizzle" => YELLOW,
        "delay" | "rate" | "flaky" | "reset" => TEAL,
        "full" | "slow-sync" | "hold" | "sync-error" => BROWN,
        "jump" | "drift" | "strobe" | "freeze" => BLUE,
        "reconfigure" | "disk-swap" => GREEN,
        other => {
            let colours = [RED, PURPLE, YELLOW, TEAL, BROWN, BLUE, GREEN];
            let sum = other.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            colours[sum % colours.len()]
        }
    }
}

/// The colour of a kind of fault as ink.
pub(crate) fn fault(kind: &str) -> Ink {
    let [red, green, blue] = fault_colour(kind);
    Ink(red, green, blue, 1.0)
}

#[cfg(test)]
mod tests {
    use super::fault_colour;

    #[test]
    fn unnamed_kinds_keep_their_colour() {
        assert_eq!(fault_colour("kill"), [206, 72, 60]);
        assert_eq!(fault_colour("some-new-kind"), fault_colour("some-new-kind"));
    }
}

//! Pictures of at most 256 colours, which take a third of the bytes of all colours.
//!
//! A drawing has a few colours, and many shades of them at the edges of shapes and letters. The commonest colours stay as
//! they are; the others are rounded, in the smallest steps that leave 256 of them. An eye does not see that.

use rustc_hash::FxHashMap;

/// Colours that stay as they are.
const EXACT: usize = 48;
/// Steps to which a channel of the others is rounded.
const STEPS: [u8; 6] = [4, 8, 16, 24, 32, 48];

type Colour = [u8; 3];

/// A picture by the numbers of its colours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    /// Three bytes a colour.
    pub(super) palette: Vec<u8>,
    /// A byte a pixel.
    pub(super) indexes: Vec<u8>,
}

/// The picture with at most 256 colours, from three bytes a pixel; none if even coarse steps leave more.
pub(super) fn indexed(pixels: &[u8]) -> Option<Indexed> {
    let (colours, _) = pixels.as_chunks::<3>();
    let mut counts: FxHashMap<Colour, u32> = FxHashMap::default();
    for run in colours.chunk_by(|a, b| a == b) {
        *counts.entry(run[0]).or_default() += u32::try_from(run.len()).unwrap_or(u32::MAX);
    }
    let mut by_count: Vec<Colour> = counts.keys().copied().collect();
    by_count.sort_by_key(|colour| (std::cmp::Reverse(counts[colour]), *colour));
    let (numbers, palette) = STEPS.into_iter().find_map(|step| palette(&by_count, step))?;
    let mut indexes = Vec::with_capacity(colours.len());
    for run in colours.chunk_by(|a, b| a == b) {
        indexes.resize(indexes.len() + run.len(), numbers[&run[0]]);
    }
    Some(Indexed { palette, indexes })
}

/// The number of each colour and the palette, with this step; none if it leaves too many. The commonest come first.
fn palette(by_count: &[Colour], step: u8) -> Option<(FxHashMap<Colour, u8>, Vec<u8>)> {
    let mut known: FxHashMap<Colour, u8> = FxHashMap::default();
    let mut numbers = FxHashMap::default();
    let mut palette = Vec::new();
    for (index, &colour) in by_count.iter().enumerate() {
        let shown = if index < EXACT { colour } else { colour.map(|channel| rounded(channel, step)) };
        let number = if let Some(&number) = known.get(&shown) {
            number
        } else {
            let number = u8::try_from(known.len()).ok()?;
            known.insert(shown, number);
            palette.extend(shown);
            number
        };
        numbers.insert(colour, number);
    }
    Some((numbers, palette))
}

fn rounded(channel: u8, step: u8) -> u8 {
    let (channel, step) = (u16::from(channel), u16::from(step));
    u8::try_from((channel + step / 2) / step * step).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(indexed: &Indexed, pixel: usize) -> &[u8] {
        let number = usize::from(indexed.indexes[pixel]);
        &indexed.palette[3 * number..3 * number + 3]
    }

    #[test]
    fn few_colours_stay_as_they_are() {
        let pixels: Vec<u8> = (0..48_u8).flat_map(|shade| [shade, 255 - shade, 7]).collect();
        let indexed = indexed(&pixels).unwrap();
        for (pixel, colour) in pixels.chunks(3).enumerate() {
            assert_eq!(shown(&indexed, pixel), colour);
        }
    }

    #[test]
    fn many_shades_are_rounded_and_common_colours_are_not() {
        let mut pixels = [17, 33, 201].repeat(10);
        pixels.extend((0..2_000_u16).flat_map(|shade| {
            let shade = u8::try_from(shade % 256).unwrap();
            [shade, shade.wrapping_mul(3), 40]
        }));
        let indexed = indexed(&pixels).unwrap();
        assert!(indexed.palette.len() <= 3 * 256 && indexed.indexes.len() == 2_010);
        assert_eq!(shown(&indexed, 3), [17, 33, 201]);
        for (pixel, colour) in pixels.chunks(3).enumerate() {
            let off = shown(&indexed, pixel).iter().zip(colour).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(off <= 24, "{colour:?} became {:?}", shown(&indexed, pixel));
        }
    }

    #[test]
    fn a_photograph_is_left_alone() {
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..300_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        assert_eq!(indexed(&noise), None);
    }
}

//! A column that takes memory only up to the last row that has something.

/// Numbers by row; 0 where nothing was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Sparse<T> {
    numbers: Vec<T>,
}

impl<T: Copy + Default + PartialEq> Sparse<T> {
    pub(super) fn get(&self, row: usize) -> T {
        self.numbers.get(row).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, row: usize, number: T) {
        if let Some(slot) = self.numbers.get_mut(row) {
            *slot = number;
        } else if number != T::default() {
            self.numbers.resize(row, T::default());
            self.numbers.push(number);
        }
    }

    pub(super) fn shrink(&mut self) {
        self.numbers.shrink_to_fit();
    }
}

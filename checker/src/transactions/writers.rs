//! The writers of each key, session by session, in one array.

use super::lists::Lists;
use super::parse::small;

/// Who wrote which key.
#[derive(Debug)]
pub(super) struct Writers {
    /// By key: where its sessions begin.
    keys: Vec<u32>,
    /// By key and session: the session, and where its writers end.
    sessions: Vec<(u32, u32)>,
    /// The writers, by their index in the session.
    indexes: Vec<u32>,
}

impl Writers {
    /// Sorts writes by their keys. `all` gives the key, the session and the index of each writer once, those of one key in
    /// their order.
    pub(super) fn new(keys: usize, all: impl Iterator<Item = (u32, u32, u32)> + Clone) -> Self {
        let by_key = Lists::new(keys, all.map(|(key, session, index)| (key, (session, index))));
        let mut this = Self { keys: Vec::with_capacity(keys + 1), sessions: Vec::new(), indexes: Vec::new() };
        this.indexes.reserve_exact(by_key.count());
        for key in 0..small(keys) {
            this.keys.push(small(this.sessions.len()));
            for of_session in by_key.of(key).chunk_by(|(one, _), (other, _)| one == other) {
                this.indexes.extend(of_session.iter().map(|(_, index)| *index));
                this.sessions.push((of_session[0].0, small(this.indexes.len())));
            }
        }
        this.keys.push(small(this.sessions.len()));
        this
    }

    /// The sessions that wrote a key, each with its writers.
    pub(super) fn by_session(&self, key: u32) -> impl Iterator<Item = (u32, &[u32])> {
        let range = self.range(key);
        let mut start = self.end_before(range.start);
        self.sessions[range].iter().map(move |(session, end)| {
            let writers = &self.indexes[start..*end as usize];
            start = *end as usize;
            (*session, writers)
        })
    }

    /// The writers of a key in a session.
    pub(super) fn of(&self, key: u32, session: u32) -> &[u32] {
        let range = self.range(key);
        let found = self.sessions[range.clone()].binary_search_by_key(&session, |(session, _)| *session);
        found.map_or(&[], |index| {
            let index = range.start + index;
            &self.indexes[self.end_before(index)..self.sessions[index].1 as usize]
        })
    }

    fn range(&self, key: u32) -> std::ops::Range<usize> {
        self.keys[key as usize] as usize..self.keys[key as usize + 1] as usize
    }

    /// Where the writers end that stand before a session's.
    fn end_before(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.sessions[before].1 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_found_by_key_and_session() {
        let all = [(1, 0, 3), (3, 0, 3), (1, 0, 5), (1, 2, 0), (3, 2, 1), (1, 2, 7)];
        let writers = Writers::new(4, all.into_iter());
        for key in 0..4 {
            let mut by_session = writers.by_session(key);
            for session in 0..4 {
                let here = all.iter().filter(|write| (write.0, write.1) == (key, session));
                let expected: Vec<u32> = here.map(|write| write.2).collect();
                assert_eq!(writers.of(key, session), expected);
                if !expected.is_empty() {
                    assert_eq!(by_session.next(), Some((session, expected.as_slice())));
                }
            }
            assert_eq!(by_session.next(), None);
        }
    }
}

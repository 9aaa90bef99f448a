//! Exact median of a stream of any length: two passes, constant memory.
//!
//! The first pass counts the upper 16 bits of a key with the order of the value, the second the lower 16 bits of those in the bin of the median (selection
//! with limited storage, Munro & Paterson 1980, Theoretical Computer Science 12, 315).

use crate::statistics::{key_of, value_of_key};

const BINS: usize = 1 << 16;
/// Moves the lowest key to 0.
const LOWEST: u32 = 1 << 31;

/// The first pass.
pub(super) struct Coarse {
    counts: Vec<u64>,
    count: u64,
}

impl Coarse {
    pub(super) fn new() -> Self {
        Coarse { counts: vec![0; BINS], count: 0 }
    }

    /// NaN is not expected.
    pub(super) fn push(&mut self, value: f32) {
        self.counts[(key(value) >> 16) as usize] += 1;
        self.count += 1;
    }

    /// The second pass; none if there were no values.
    pub(super) fn refine(&self) -> Option<Fine> {
        let last = self.count.checked_sub(1)?;
        let half = |rank: u64| {
            let (bin, rank) = find(&self.counts, rank);
            Half { bin: bin as u32, rank, counts: vec![0; BINS] }
        };
        Some(Fine([half(last / 2), half(self.count / 2)]))
    }
}

/// The second pass: the two middle values.
pub(super) struct Fine([Half; 2]);

struct Half {
    bin: u32,
    /// Rank within the bin.
    rank: u64,
    counts: Vec<u64>,
}

impl Fine {
    /// Takes the values of the first pass again.
    pub(super) fn push(&mut self, value: f32) {
        let key = key(value);
        for half in &mut self.0 {
            if key >> 16 == half.bin {
                half.counts[(key & 0xffff) as usize] += 1;
            }
        }
    }

    /// The median; the mean of the two middle values of an even number.
    pub(super) fn median(&self) -> f64 {
        let value = |half: &Half| {
            let key = half.bin << 16 | find(&half.counts, half.rank).0 as u32;
            f64::from(value_of_key((key ^ LOWEST) as i32))
        };
        0.5 * (value(&self.0[0]) + value(&self.0[1]))
    }
}

fn key(value: f32) -> u32 {
    key_of(value) as u32 ^ LOWEST
}

/// The bin of a rank, and the rank within the bin.
fn find(counts: &[u64], rank: u64) -> (usize, u64) {
    let mut left = rank;
    for (bin, count) in counts.iter().enumerate() {
        if left < *count {
            return (bin, left);
        }
        left -= count;
    }
    (counts.len() - 1, 0)
}

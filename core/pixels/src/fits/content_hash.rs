//! blake3 of a file that is written piece by piece and not in order.
//!
//! blake3 is a tree over pieces of the file, so pieces can be hashed when they are written, in any order, and joined at the end: the file is
//! never read again. Pieces that a header or padding touches are kept until all of their bytes are known, the others are hashed at once.

use std::ops::Range;

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};

/// Bytes of a piece: a power of two times the 1024 bytes of the leaves of blake3.
const PIECE: u64 = 1 << 17;

/// A piece of the file.
enum Piece {
    /// Its bytes come in order.
    InOrder(Box<Hasher>),
    /// Its bytes come in any order; what is not yet known is zero.
    Kept(Vec<u8>),
}

/// The hash of a file of known length whose bytes come in any order.
pub(super) struct ContentHash {
    length: u64,
    /// Pieces that have been begun.
    pieces: Vec<Option<Piece>>,
    hashed: Vec<ChainingValue>,
}

impl ContentHash {
    /// For a file of `length` bytes. Bytes outside `in_order` may come in any order, or not at all: then they are zero. Those in each range of
    /// `in_order` come from its beginning to its end.
    pub(super) fn new(length: u64, in_order: &[Range<u64>]) -> Self {
        let count = length.div_ceil(PIECE) as usize;
        let piece = |n: usize| {
            let span = piece_span(n, length);
            let whole = in_order.iter().any(|r| r.start <= span.start && span.end <= r.end);
            if whole && count > 1 { None } else { Some(Piece::Kept(vec![0; (span.end - span.start) as usize])) }
        };
        ContentHash { length, pieces: (0..count).map(piece).collect(), hashed: vec![[0; 32]; count] }
    }

    /// Takes bytes at a place in the file.
    pub(super) fn add(&mut self, mut offset: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = (offset / PIECE) as usize;
            let span = piece_span(n, self.length);
            let (now, rest) = bytes.split_at(bytes.len().min((span.end - offset) as usize));
            let end = offset + now.len() as u64;
            let piece = self.pieces[n].get_or_insert_with(|| {
                let mut hasher = Hasher::new();
                hasher.set_input_offset(span.start);
                Piece::InOrder(Box::new(hasher))
            });
            match piece {
                Piece::Kept(kept) => kept[(offset - span.start) as usize..][..now.len()].copy_from_slice(now),
                Piece::InOrder(hasher) => {
                    hasher.update(now);
                    if end == span.end {
                        self.hashed[n] = hasher.finalize_non_root();
                        self.pieces[n] = None;
                    }
                }
            }
            (offset, bytes) = (end, rest);
        }
    }

    /// The hash in hexadecimal digits, once all bytes have come.
    pub(super) fn finish(mut self) -> String {
        if let [Some(Piece::Kept(all))] = self.pieces.as_slice() {
            return blake3::hash(all).to_hex().to_string();
        }
        for (n, piece) in self.pieces.iter().enumerate() {
            if let Some(Piece::Kept(kept)) = piece {
                self.hashed[n] = Hasher::new().set_input_offset(n as u64 * PIECE).update(kept).finalize_non_root();
            }
        }
        if self.hashed.is_empty() {
            return blake3::hash(&[]).to_hex().to_string();
        }
        let (left, right) = self.halves(0..self.length);
        merge_subtrees_root(&left, &right, Mode::Hash).to_hex().to_string()
    }

    fn halves(&self, span: Range<u64>) -> (ChainingValue, ChainingValue) {
        let middle = span.start + left_subtree_len(span.end - span.start);
        (self.subtree(span.start..middle), self.subtree(middle..span.end))
    }

    fn subtree(&self, span: Range<u64>) -> ChainingValue {
        if span.end - span.start <= PIECE {
            return self.hashed[(span.start / PIECE) as usize];
        }
        let (left, right) = self.halves(span);
        merge_subtrees_non_root(&left, &right, Mode::Hash)
    }
}

fn piece_span(n: usize, length: u64) -> Range<u64> {
    let start = n as u64 * PIECE;
    start..(start + PIECE).min(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_as_of_the_whole_for_all_lengths_and_orders() {
        for length in [0, 1, 1024, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5 * PIECE + 77, 8 * PIECE, 13 * PIECE - 1] {
            let file: Vec<u8> = (0..length).map(|i| (i * i / 7 + i) as u8).collect();
            let (a, b) = (length / 9, length - length / 5);
            let mut hash = ContentHash::new(length, std::slice::from_ref(&(a..b)));
            hash.add(b, &file[b as usize..]);
            for (k, part) in file[a as usize..b as usize].chunks(50_021).enumerate() {
                hash.add(a + 50_021 * k as u64, part);
            }
            hash.add(0, &file[..a as usize]);
            assert_eq!(hash.finish(), blake3::hash(&file).to_hex().to_string(), "{length}");
        }
    }
}

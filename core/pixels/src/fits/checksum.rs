//! DATASUM and CHECKSUM (FITS standard 4.0, section 4.4.2.7 and appendix J).

/// The 32-bit ones' complement sum of bytes that come in pieces of any length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    total: u64,
    /// Bytes of the last, incomplete word.
    partial: [u8; 4],
    filled: usize,
}

impl Sum {
    /// Adds the bytes that follow those added before.
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        while self.filled > 0 || bytes.len() < 4 {
            let Some((&byte, rest)) = bytes.split_first() else { return };
            self.partial[self.filled] = byte;
            self.filled += 1;
            bytes = rest;
            if self.filled == 4 {
                self.filled = 0;
                self.fold(u64::from(u32::from_be_bytes(self.partial)));
            }
        }
        // 2^24 words at a time cannot overflow 64 bits.
        for piece in bytes.chunks(1 << 26) {
            let (words, rest) = piece.as_chunks::<4>();
            self.fold(words.iter().map(|w| u64::from(u32::from_be_bytes(*w))).sum());
            self.partial[..rest.len()].copy_from_slice(rest);
            self.filled = rest.len();
        }
    }

    fn fold(&mut self, value: u64) {
        let mut total = self.total + (value & 0xffff_ffff) + (value >> 32);
        while total >> 32 != 0 {
            total = (total & 0xffff_ffff) + (total >> 32);
        }
        self.total = total;
    }

    /// The sum, with an incomplete last word filled with zeros.
    pub(super) fn value(mut self) -> u32 {
        if self.filled > 0 {
            self.partial[self.filled..].fill(0);
            self.filled = 0;
            self.fold(u64::from(u32::from_be_bytes(self.partial)));
        }
        self.total as u32
    }

    /// The sum together with another one.
    pub(super) fn plus(mut self, other: u32) -> u32 {
        self.fold(u64::from(other));
        self.value()
    }
}

/// The complement of a sum as 16 letters and digits (appendix J): the value of CHECKSUM that makes the sum of the HDU -0.
pub(super) fn encode(sum: u32) -> String {
    let complement = !sum;
    let mut ascii = [0u8; 16];
    for (i, byte) in complement.to_be_bytes().into_iter().enumerate() {
        let quarter = byte / 4 + b'0';
        let mut quarters = [quarter + byte % 4, quarter, quarter, quarter];
        // Punctuation between digits and letters is avoided by moving both of a pair in opposite directions.
        while quarters.iter().any(|q| !q.is_ascii_alphanumeric()) {
            for pair in quarters.as_chunks_mut::<2>().0 {
                if pair.iter().any(|q| !q.is_ascii_alphanumeric()) {
                    pair[0] += 1;
                    pair[1] -= 1;
                }
            }
        }
        for (j, q) in quarters.into_iter().enumerate() {
            // The value begins in the last byte of a word of the card, so everything moves on by one.
            ascii[(4 * j + i + 1) % 16] = q;
        }
    }
    ascii.iter().map(|&b| b as char).collect()
}

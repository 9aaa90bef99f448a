//! Decoder of Unix `compress` files (`.Z`): LZW with codes of 9 to 16 bits.
//!
//! Source: Welch 1984, IEEE Computer 17(6), 8, and the file format of compress(1): two magic bytes, one byte with the
//! largest code width and the block-mode bit, then codes with the low bit first. Codes of one width come in groups of
//! eight; a change of width or a CLEAR code skips to the end of the group.

use std::io::{self, Read};

const CLEAR: usize = 256;
const FIRST_WIDTH: u32 = 9;

/// Decompresses what follows the three bytes of the file header.
pub(super) struct LzwReader<R> {
    inner: R,
    max_width: u32,
    block_mode: bool,
    width: u32,
    /// Previous string and last byte of each code.
    prefix: Vec<u16>,
    suffix: Vec<u8>,
    /// Next free code.
    next: usize,
    previous: Option<usize>,
    first_byte: u8,
    /// One group of eight codes: its bytes and the next bit.
    group: Vec<u8>,
    bit: usize,
    /// Decoded bytes, last first.
    stack: Vec<u8>,
    ended: bool,
}

impl<R: Read> LzwReader<R> {
    /// A decoder for the stream after the magic bytes; reads the byte of flags.
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        let mut flags = [0u8];
        inner.read_exact(&mut flags)?;
        let max_width = u32::from(flags[0] & 0x1f);
        if !(FIRST_WIDTH..=16).contains(&max_width) {
            return Err(invalid(format!("codes of {max_width} bits; 9 to 16 are possible")));
        }
        let block_mode = flags[0] & 0x80 != 0;
        Ok(LzwReader {
            inner,
            max_width,
            block_mode,
            width: FIRST_WIDTH,
            prefix: vec![0; 1 << max_width],
            suffix: (0..1usize << max_width).map(|c| c.min(255) as u8).collect(),
            next: if block_mode { CLEAR + 1 } else { CLEAR },
            previous: None,
            first_byte: 0,
            group: Vec::with_capacity(16),
            bit: 0,
            stack: Vec::new(),
            ended: false,
        })
    }

    fn next_code(&mut self) -> io::Result<Option<usize>> {
        let width = self.width as usize;
        if self.bit + width > self.group.len() * 8 {
            self.group.resize(width, 0);
            let mut filled = 0;
            while filled < width {
                match self.inner.read(&mut self.group[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
            self.group.truncate(filled);
            self.bit = 0;
            if filled * 8 < width {
                return Ok(None);
            }
        }
        let code = (0..width).fold(0, |code, i| {
            let at = self.bit + i;
            code | usize::from(self.group[at / 8] >> (at % 8) & 1) << i
        });
        self.bit += width;
        Ok(Some(code))
    }

    fn skip_group(&mut self) {
        self.group.clear();
        self.bit = 0;
    }

    /// Decodes one code onto the stack.
    fn step(&mut self) -> io::Result<()> {
        // The width grows once the next code would not fit; the rest of the group is padding.
        if self.next >= 1 << self.width && self.width < self.max_width {
            self.width += 1;
            self.skip_group();
        }
        let Some(code) = self.next_code()? else {
            self.ended = true;
            return Ok(());
        };
        if code == CLEAR && self.block_mode {
            self.next = CLEAR + 1;
            self.width = FIRST_WIDTH;
            self.previous = None;
            self.skip_group();
            return Ok(());
        }
        let Some(previous) = self.previous else {
            if code > 255 {
                return Err(invalid(format!("first code is {code}, not a byte")));
            }
            self.first_byte = code as u8;
            self.stack.push(self.first_byte);
            self.previous = Some(code);
            return Ok(());
        };
        let mut at = code;
        if code >= self.next {
            if code > self.next {
                return Err(invalid(format!("code {code} before it is defined (next is {})", self.next)));
            }
            self.stack.push(self.first_byte);
            at = previous;
        }
        while at > 255 {
            self.stack.push(self.suffix[at]);
            at = usize::from(self.prefix[at]);
        }
        self.first_byte = at as u8;
        self.stack.push(self.first_byte);
        if self.next < 1 << self.max_width {
            self.prefix[self.next] = previous as u16;
            self.suffix[self.next] = self.first_byte;
            self.next += 1;
        }
        self.previous = Some(code);
        Ok(())
    }
}

impl<R: Read> Read for LzwReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < out.len() {
            match self.stack.pop() {
                Some(byte) => {
                    out[n] = byte;
                    n += 1;
                }
                None if self.ended => break,
                None => self.step()?,
            }
        }
        Ok(n)
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

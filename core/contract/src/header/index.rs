//! Where keywords are in a long header.
//!
//! Headers of ESO have two thousand cards, and a plan asks each of a thousand frames for a dozen of them, many times.

use std::sync::OnceLock;

use super::Card;

/// Headers with fewer cards are looked through.
const SHORT: usize = 32;
/// Mark of a place of the table that is free.
const FREE: u32 = u32::MAX;

/// The places of the first card with a value for each keyword, by the hash of the keyword, the next free place taken where two meet; made
/// when it is first asked for, forgotten when a card changes.
#[derive(Default)]
pub(super) struct Index(OnceLock<Box<[u32]>>);

impl Index {
    /// The first card of a keyword (in its normal form) that has a value.
    pub(super) fn first<'a>(&self, cards: &'a [Card], keyword: &str) -> Option<&'a Card> {
        if cards.len() < SHORT {
            return cards.iter().find(|c| c.keyword == keyword && c.value().is_some());
        }
        let table = self.0.get_or_init(|| {
            let mut table = vec![FREE; (2 * cards.len()).next_power_of_two()].into_boxed_slice();
            for (n, card) in cards.iter().enumerate().filter(|(_, c)| c.value().is_some()) {
                let place = place(&table, cards, &card.keyword);
                if table[place] == FREE {
                    table[place] = n as u32;
                }
            }
            table
        });
        cards.get(table[place(table, cards, keyword)] as usize)
    }

    /// Cards are about to change.
    pub(super) fn forget(&mut self) {
        self.0.take();
    }
}

/// Where a keyword is in the table, or would be: at most half of it is taken.
fn place(table: &[u32], cards: &[Card], keyword: &str) -> usize {
    let mut at = hash(keyword) as usize & (table.len() - 1);
    while table[at] != FREE && cards[table[at] as usize].keyword != keyword {
        at = (at + 1) & (table.len() - 1);
    }
    at
}

/// Fowler, Noll and Vo's hash, 1a, its upper half folded in.
fn hash(keyword: &str) -> u64 {
    let hash = keyword.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    hash ^ (hash >> 32)
}

impl Clone for Index {
    fn clone(&self) -> Self {
        Index::default()
    }
}

/// It says nothing that the cards do not say.
impl PartialEq for Index {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index")
    }
}

//! Where keywords are in a long header.
//!
//! Headers of ESO have two thousand cards, and a plan asks each of a thousand frames for a dozen of them, many times.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Card;

/// Headers with fewer cards are looked through.
const SHORT: usize = 32;

/// The place of the first card with a value for each keyword; made when it is first asked for, forgotten when a card changes.
#[derive(Default)]
pub(super) struct Index(OnceLock<HashMap<String, usize>>);

impl Index {
    /// The first card of a keyword (in its normal form) that has a value.
    pub(super) fn first<'a>(&self, cards: &'a [Card], keyword: &str) -> Option<&'a Card> {
        if cards.len() < SHORT {
            return cards.iter().find(|c| c.keyword == keyword && c.value().is_some());
        }
        let places = self.0.get_or_init(|| {
            let mut places = HashMap::with_capacity(cards.len());
            for (n, card) in cards.iter().enumerate().filter(|(_, c)| c.value().is_some()) {
                places.entry(card.keyword.clone()).or_insert(n);
            }
            places
        });
        places.get(keyword).map(|&n| &cards[n])
    }

    /// Cards are about to change.
    pub(super) fn forget(&mut self) {
        self.0.take();
    }
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

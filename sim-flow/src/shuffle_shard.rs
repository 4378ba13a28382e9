//! Shuffle sharding: a flow's hash picks a small hand of the queues.

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Deals hands of distinct cards out of a deck, the cards being queue indices.
///
/// The hash is read as a mixed-radix number: its digits are the remainders by D, D−1, D−2 … (D is
/// the deck size). Digit *i* says which of the cards not yet dealt comes next. To turn it into a
/// card, the earlier digits are visited from the latest to the first, and the value is raised by
/// one for each that it has reached; this undoes the removal of the earlier cards one at a time.
///
/// Source: `pkg/util/shufflesharding/shufflesharding.go`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dealer {
    deck_size: u32,
    hand_size: u32,
}

/// Why a deck and hand size cannot be used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DealerError {
    /// The remainders would need more than [`MAX_HASH_BITS`] of the hash.
    #[error(
        "required entropy bits of deckSize {deck_size} and handSize {hand_size} is greater than {MAX_HASH_BITS}"
    )]
    EntropyTooHigh {
        /// Cards in the deck.
        deck_size: i64,
        /// Cards in a hand.
        hand_size: i64,
    },
    /// More than 2²⁶ cards.
    #[error("deckSize {0} is impractically large")]
    DeckTooLarge(i64),
    /// A hand larger than the deck.
    #[error("handSize {hand_size} is greater than deckSize {deck_size}")]
    HandLargerThanDeck {
        /// Cards in the deck.
        deck_size: i64,
        /// Cards in a hand.
        hand_size: i64,
    },
    /// A size that is zero or negative.
    #[error("deckSize {deck_size} or handSize {hand_size} is not positive")]
    NotPositive {
        /// Cards in the deck.
        deck_size: i64,
        /// Cards in a hand.
        hand_size: i64,
    },
}

impl Dealer {
    /// A dealer of hands of `hand_size` cards out of `deck_size`.
    pub fn new(deck_size: i64, hand_size: i64) -> Result<Self, DealerError> {
        if deck_size <= 0 || hand_size <= 0 {
            return Err(DealerError::NotPositive { deck_size, hand_size });
        }
        if hand_size > deck_size {
            return Err(DealerError::HandLargerThanDeck { deck_size, hand_size });
        }
        let (Ok(deck), Ok(hand)) = (u32::try_from(deck_size), u32::try_from(hand_size)) else {
            return Err(DealerError::DeckTooLarge(deck_size));
        };
        if deck > MAX_DECK_SIZE {
            return Err(DealerError::DeckTooLarge(deck_size));
        }
        if required_entropy_bits(deck, hand) > MAX_HASH_BITS {
            return Err(DealerError::EntropyTooHigh { deck_size, hand_size });
        }
        Ok(Self { deck_size: deck, hand_size: hand })
    }

    /// Cards in the deck.
    pub const fn deck_size(self) -> u32 {
        self.deck_size
    }

    /// Cards in a hand; at most [`MAX_HAND_SIZE`].
    pub const fn hand_size(self) -> u32 {
        self.hand_size
    }

    /// The hand of `hash`, in the order of dealing.
    pub fn deal(self, hash: u64) -> Hand {
        let mut digits = [0_u32; MAX_HAND_SIZE];
        let mut cards = [0_u32; MAX_HAND_SIZE];
        let len = self.hand_size as usize;
        let mut rest = hash;
        let mut radix = u64::from(self.deck_size);
        for i in 0..len {
            // The remainder is below the deck size, so it fits.
            let digit = u32::try_from(rest % radix).unwrap_or(0);
            rest /= radix;
            radix -= 1;
            digits[i] = digit;
            cards[i] = digits[..i].iter().rev().fold(digit, |card, &d| card + u32::from(card >= d));
        }
        Hand { cards, len }
    }
}

/// The cards dealt to one hash.
#[derive(Clone, Copy, Debug)]
pub struct Hand {
    cards: [u32; MAX_HAND_SIZE],
    len: usize,
}

impl Hand {
    /// The cards, in the order of dealing.
    pub fn cards(&self) -> &[u32] {
        &self.cards[..self.len]
    }
}

/// Bits of hash that a deck and hand need, rounded up: hand × log2(deck).
pub fn required_entropy_bits(deck_size: u32, hand_size: u32) -> u32 {
    crate::num::ceil_to_u32(f64::from(deck_size).log2() * f64::from(hand_size))
}

/// The hash of a flow: the first eight bytes of SHA-256 over the FlowSchema name, a zero byte and
/// the flow distinguisher, read little-endian. It has no salt, so every server agrees.
///
/// Source: `hashFlowID` in `pkg/util/flowcontrol/apf_controller.go`.
pub fn flow_hash(flow_schema: &str, flow_distinguisher: &str) -> u64 {
    let mut sha = Sha256::new();
    sha.update(flow_schema.as_bytes());
    sha.update([0]);
    sha.update(flow_distinguisher.as_bytes());
    let sum = sha.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&sum[..8]);
    u64::from_le_bytes(first)
}

/// `MaxHashBits` of the Go source: four bits of the hash stay unused, which keeps hands uniform.
pub const MAX_HASH_BITS: u32 = 60;

/// The greatest hand: 15 cards out of 15 is the last square pair under [`MAX_HASH_BITS`], and a
/// deck of one or two cards has small hands. One more than that for the array is plenty.
pub const MAX_HAND_SIZE: usize = 16;

/// `maxDeckSize`: 2²⁶ cards.
const MAX_DECK_SIZE: u32 = 1 << 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deals_the_worked_examples() {
        let hash = flow_hash("service-accounts", "system:serviceaccount:default:default");
        assert_eq!(hash, 0xba4d_d08b_d6ad_597f);
        let dealer = Dealer::new(128, 6).unwrap();
        assert_eq!(dealer.deal(hash).cards(), [127, 66, 18, 15, 64, 74]);
        assert_eq!(Dealer::new(5, 5).unwrap().deal(119).cards(), [4, 3, 2, 1, 0]);
        assert_eq!(Dealer::new(5, 5).unwrap().deal(1).cards(), [1, 0, 2, 3, 4]);
        assert_eq!(dealer.deal(u64::MAX).cards(), [127, 1, 7, 56, 91, 6]);
    }

    #[test]
    fn every_legal_hand_fits_its_array() {
        for deck in 1..=2048 {
            for hand in 1..=deck.min(64) {
                if Dealer::new(deck, hand).is_ok() {
                    assert!(usize::try_from(hand).unwrap() <= MAX_HAND_SIZE, "{deck}/{hand}");
                }
            }
        }
    }
}

//! dealer.json: hands, legality of decks, flow hashes.

use serde_json::Value;
use sim_flow::{Dealer, flow_hash};

use crate::golden::{hash_of, i64_of, list, replay, str_of, u64_of};

fn cards_of(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(u64_of).collect()
}

fn deal(deck: i64, hand: i64, hash: u64) -> Vec<u64> {
    let dealer = Dealer::new(deck, hand).unwrap();
    dealer.deal(hash).cards().iter().map(|&card| card.into()).collect()
}

#[test]
fn dealer() {
    replay("dealer", |golden| {
        let mut cases = 0;
        for set in list(golden, "sets") {
            let (deck, hand) = (i64_of(&set["deck"]), i64_of(&set["hand"]));
            for row in list(set, "deals") {
                assert_eq!(deal(deck, hand, hash_of(&row[0])), cards_of(&row[1]), "{deck} {row}");
                cases += 1;
            }
        }
        for case in list(golden, "new_dealer") {
            let error = match Dealer::new(i64_of(&case["deck"]), i64_of(&case["hand"])) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            assert_eq!(error, str_of(&case["error"]), "{case}");
            cases += 1;
        }
        for row in list(golden, "flow_hash") {
            let hash = flow_hash(str_of(&row[0]), str_of(&row[1]));
            assert_eq!(hash, hash_of(&row[2]), "{row}");
            let hand = deal(64, 6, hash);
            assert_eq!(hand, cards_of(&row[3]), "{row}");
            assert!(hand.contains(&u64_of(&row[4])), "{row}");
            cases += 1;
        }
        cases
    });
}

//! How likely a light flow finds all its queues taken by heavy ones.

use clap::{Args, ValueEnum};
use rand_core::Rng;
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use sim_flow::Dealer;

use super::{Output, json, print, table::Table};
use crate::LoadError;

/// Tell how likely heavy flows take all queues of a light one
///
/// Each flow is dealt a hand of a level's queues by its hash. A mouse (light flow) is squished when
/// every queue of its hand is in the hand of some elephant (heavy flow).
#[derive(Args, Clone, Debug)]
pub struct CollisionArgs {
    /// Queues and hand size of a level, as QUEUES/HAND; default are those of the built-in levels
    /// and the rest of the table in the Kubernetes documentation
    #[arg(long = "level", value_name = "QUEUES/HAND")]
    pub levels: Vec<String>,

    /// Numbers of elephants
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,4,16")]
    pub elephants: Vec<u32>,

    /// Exact for ideal dealing, or by dealing random hashes with the server's dealer
    #[arg(long, value_enum, default_value_t = Method::Exact)]
    pub method: Method,

    /// Hands dealt to the mouse, for monte-carlo
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub samples: u32,

    /// Seed of the hashes, for monte-carlo
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// What is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How probabilities are found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Every hand alike likely.
    #[default]
    Exact,
    /// Random hashes, dealt as the server deals them.
    MonteCarlo,
}

/// A table of probabilities.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collisions {
    /// How they were found.
    pub method: Method,
    /// The method in words, with samples and seed where there are some.
    pub note: String,
    /// Numbers of elephants, the columns.
    pub elephants: Vec<u32>,
    /// One row for each level.
    pub rows: Vec<CollisionRow>,
}

/// Probabilities of one pair of queues and hand size.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollisionRow {
    /// Queues of the level.
    pub queues: u32,
    /// Queues of one flow.
    pub hand_size: u32,
    /// For each number of elephants, the probability that a mouse is squished.
    pub squished: Vec<f64>,
}

/// Probability that the hands of `elephants` flows cover that of a further one, when every hand of
/// `hand_size` out of `queues` is alike likely.
///
/// The elephants are dealt one after the other. How many of the mouse's queues are still free is
/// all that matters, and of the free ones an elephant takes a hypergeometric number. All terms are
/// positive, so that small probabilities keep their digits.
///
/// Source: KEP-1040, "Probability of Collisions".
pub fn exact(queues: u32, hand_size: u32, elephants: u32) -> f64 {
    let (deck, hand) = (f64::from(queues), hand_size as usize);
    let choose = |n: f64, k: usize| {
        (0..k).fold(1.0, |product, i| product * (n - i as f64).max(0.0) / (i as f64 + 1.0))
    };
    let all = choose(deck, hand);
    // free[f]: the probability that f queues of the mouse are in no elephant's hand yet.
    let mut free = vec![0.0; hand + 1];
    free[hand] = 1.0;
    for _ in 0..elephants {
        let mut next = vec![0.0; hand + 1];
        for (before, probability) in free.iter().enumerate() {
            for taken in 0..=before {
                let ways =
                    choose(before as f64, taken) * choose(deck - before as f64, hand - taken);
                next[before - taken] += probability * ways / all;
            }
        }
        free = next;
    }
    free[0]
}

/// The same by dealing: each sample is one mouse and its elephants, all with random hashes.
fn monte_carlo(dealer: Dealer, elephants: u32, samples: u32, random: &mut Pcg64Mcg) -> f64 {
    let mut squished = 0_u32;
    for _ in 0..samples {
        let mouse = dealer.deal(random.next_u64());
        let mut free = mouse.cards().to_vec();
        for _ in 0..elephants {
            let elephant = dealer.deal(random.next_u64());
            free.retain(|card| !elephant.cards().contains(card));
        }
        squished += u32::from(free.is_empty());
    }
    f64::from(squished) / f64::from(samples)
}

pub(super) fn run(args: &CollisionArgs) -> Result<u8, LoadError> {
    let collisions = collisions(args)?;
    print(&match args.output {
        Output::Text => text(&collisions),
        Output::Json => json(&collisions),
    });
    Ok(0)
}

fn collisions(args: &CollisionArgs) -> Result<Collisions, LoadError> {
    if let Some(wrong) = args.elephants.iter().find(|n| !(1..=MAX_ELEPHANTS).contains(*n)) {
        let message = format!("{wrong} is not from 1 to {MAX_ELEPHANTS}");
        return Err(LoadError::usage("--elephants", message));
    }
    let work =
        u64::from(args.samples) * u64::from(args.elephants.iter().copied().max().unwrap_or(1));
    if args.method == Method::MonteCarlo && !(1..=MAX_DEALS).contains(&work) {
        let message = format!("must be at least 1, and {MAX_DEALS} hands in all at the most");
        return Err(LoadError::usage("--samples", message));
    }
    let dealers = if args.levels.is_empty() {
        DEFAULT_LEVELS
            .iter()
            .map(|(q, h)| dealer(&format!("{q}/{h}"), (*q).into(), (*h).into()))
            .collect()
    } else {
        args.levels.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()
    }?;
    let mut random = Pcg64Mcg::new((u128::from(args.seed) << 1) | 1);
    let mut rows = Vec::new();
    for dealer in dealers {
        let (queues, hand_size) = (dealer.deck_size(), dealer.hand_size());
        let squished = args.elephants.iter().map(|elephants| match args.method {
            Method::Exact => exact(queues, hand_size, *elephants),
            Method::MonteCarlo => monte_carlo(dealer, *elephants, args.samples, &mut random),
        });
        let squished = squished.collect();
        rows.push(CollisionRow { queues, hand_size, squished });
    }
    let note = match args.method {
        Method::Exact => "exact, every hand alike likely".to_owned(),
        Method::MonteCarlo => format!(
            "monte carlo with the server's dealer, {} samples, seed {}",
            args.samples, args.seed
        ),
    };
    Ok(Collisions { method: args.method, note, elephants: args.elephants.clone(), rows })
}

fn parse(text: &str) -> Result<Dealer, LoadError> {
    let wrong = || LoadError::usage("--level", format!("{text:?} is not like 128/6"));
    let (queues, hand) = text.split_once('/').ok_or_else(wrong)?;
    let (queues, hand) = (queues.trim().parse(), hand.trim().parse());
    dealer(text, queues.map_err(|_| wrong())?, hand.map_err(|_| wrong())?)
}

fn dealer(text: &str, queues: i64, hand: i64) -> Result<Dealer, LoadError> {
    Dealer::new(queues, hand).map_err(|e| LoadError::usage("--level", format!("{text}: {e}")))
}

fn text(collisions: &Collisions) -> String {
    let elephants = collisions.elephants.iter().map(|n| match n {
        1 => "1 elephant".to_owned(),
        n => format!("{n} elephants"),
    });
    let header: Vec<_> =
        ["queues".to_owned(), "hand".to_owned()].into_iter().chain(elephants).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(&header);
    for row in &collisions.rows {
        let squished = row.squished.iter().map(|p| probability(*p));
        let cells = [row.queues.to_string(), row.hand_size.to_string()].into_iter().chain(squished);
        table.row(cells.collect());
    }
    format!(
        "Probability that a mouse finds all its queues in the hands of elephants ({}).\n\n{}",
        collisions.note,
        table.text()
    )
}

/// Four digits; a power of ten where it is small.
pub(super) fn probability(p: f64) -> String {
    if p == 0.0 {
        "0".to_owned()
    } else if p < 0.001 {
        format!("{p:.3e}")
    } else {
        format!("{p:.4}")
    }
}

/// The built-in levels first, then what the documentation of Kubernetes tabulates.
const DEFAULT_LEVELS: [(u32, u32); 14] = [
    (128, 6),
    (64, 6),
    (16, 4),
    (64, 8),
    (32, 12),
    (32, 10),
    (64, 10),
    (64, 9),
    (128, 8),
    (128, 7),
    (256, 7),
    (256, 6),
    (512, 6),
    (1024, 6),
];

/// The recurrence takes a step for each.
const MAX_ELEPHANTS: u32 = 100_000;

/// About half a minute.
const MAX_DEALS: u64 = 200_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_is_met() {
        // Source: the documentation of Kubernetes, "API Priority and Fairness", and KEP-1040.
        for (hand, queues, expected) in [
            (12, 32, [4.428838398950118e-09, 0.11431348830099144, 0.993508960765602]),
            (10, 32, [1.550093439632541e-08, 0.06264798402235448, 0.9753101519027555]),
            (10, 64, [6.601827268370426e-12, 0.00045571320990370765, 0.4999992915008935]),
            (9, 64, [3.6310049976037345e-11, 0.00045501212304112273, 0.4282314876454858]),
            (8, 64, [2.25929199850899e-10, 0.0004886697053040446, 0.35935114681123076]),
            (8, 128, [6.994461389026097e-13, 3.4055790161620863e-06, 0.027461731371550644]),
            (7, 128, [1.0579122850901972e-11, 6.9608393792581936e-06, 0.024061573863401475]),
            (7, 256, [7.597695465552631e-14, 6.728547142019406e-08, 0.000670966154253368]),
            (6, 128, [1.8437899825857725e-10, 1.614290021487819e-05, 0.022118212756951985]),
            (6, 256, [2.7134626662687968e-12, 2.9516464018476436e-07, 0.0008895654642000349]),
            (6, 512, [4.116062922897309e-14, 4.982983350480894e-09, 2.26025764343413e-05]),
            (6, 1024, [6.337324016514285e-16, 8.09060164312957e-11, 4.5174080629036687e-07]),
        ] {
            for (elephants, expected) in [1, 4, 16].into_iter().zip(expected) {
                let found = exact(queues, hand, elephants);
                assert!(
                    (found / expected - 1.0).abs() < 1e-9,
                    "{queues}/{hand} {elephants} {found}"
                );
            }
        }
    }

    #[test]
    fn dealing_agrees_with_the_formula() {
        let dealer = Dealer::new(16, 4).unwrap();
        let mut random = Pcg64Mcg::new(3);
        for elephants in [4, 16] {
            let found = monte_carlo(dealer, elephants, 20_000, &mut random);
            let expected = exact(16, 4, elephants);
            assert!((found - expected).abs() < 0.015, "{elephants}: {found} {expected}");
        }
    }

    #[test]
    fn impossible_levels_are_refused() {
        let error = parse("512/8").unwrap_err().to_string();
        assert!(error.starts_with("--level: 512/8: required entropy bits"), "{error}");
        assert!(parse("128-6").is_err());
    }
}

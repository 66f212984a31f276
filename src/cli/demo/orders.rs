//! Records that look like somebody's business: orders of a shop, keyed by customer. Half of each is random, so that it
//! compresses as real ones do.

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const CITIES: [&str; 8] = ["Tallinn", "Lisboa", "Kyoto", "Quito", "Accra", "Oslo", "Pune", "Hobart"];
const ITEMS: [&str; 6] = ["kettle", "lamp", "notebook", "rain coat", "bicycle bell", "tea, 100 g"];
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
/// Random letters in each record.
const NOTE_LETTERS: usize = 420;

/// Makes orders, always the same ones.
#[derive(Debug)]
pub(super) struct Orders {
    random: StdRng,
    number: u64,
    pub(super) key: String,
    pub(super) value: String,
}

impl Orders {
    pub(super) fn new() -> Self {
        Self { random: StdRng::seed_from_u64(7), number: 0, key: String::new(), value: String::new() }
    }

    /// The next order, as `key` and `value`.
    pub(super) fn next(&mut self, now_ms: i64) {
        self.number += 1;
        self.key.clear();
        self.value.clear();
        let customer: u32 = self.random.random_range(0..20_000);
        let city = CITIES.get(self.random.random_range(0..CITIES.len())).copied().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(self.key, "customer-{customer:05}");
        let _ = write!(
            self.value,
            r#"{{"order":{},"placed_at_ms":{now_ms},"customer":"customer-{customer:05}","city":"{city}","items":["#,
            self.number
        );
        let count = self.random.random_range(1..=4);
        for position in 0..count {
            let item = ITEMS.get(self.random.random_range(0..ITEMS.len())).copied().unwrap_or_default();
            let (pieces, cents): (u32, u32) = (self.random.random_range(1..=9), self.random.random_range(99..20_000));
            let comma = if position > 0 { "," } else { "" };
            let _ = write!(
                self.value,
                r#"{comma}{{"item":"{item}","pieces":{pieces},"price":{}.{:02},"currency":"EUR","gift":false}}"#,
                cents / 100,
                cents % 100
            );
        }
        self.value.push_str(r#"],"state":"accepted","channel":"web","note":""#);
        for _ in 0..NOTE_LETTERS / 12 {
            let mut bits: u64 = self.random.random();
            for _ in 0..12 {
                let letter = LETTERS.get(usize::try_from(bits % 32).unwrap_or(0)).copied().unwrap_or(b'a');
                self.value.push(char::from(letter));
                bits /= 32;
            }
        }
        self.value.push_str("\"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_json_of_about_a_kilobyte_and_always_the_same() {
        let (mut some, mut others) = (Orders::new(), Orders::new());
        for _ in 0..100 {
            some.next(5);
            others.next(5);
            assert_eq!(some.value, others.value);
            let parsed: serde_json::Value = serde_json::from_str(&some.value).unwrap();
            assert_eq!(parsed["customer"], some.key.as_str());
            assert!((500..1200).contains(&some.value.len()), "{}", some.value.len());
        }
    }
}

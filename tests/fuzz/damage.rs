//! Bytes as they were not written: flipped, cut, repeated, put together from two.

use rand::Rng;
use rand::rngs::StdRng;

/// Numbers at which readers go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];
/// Bytes that one damage adds at most.
const ADDED_MAX: usize = 512;

/// Damages `bytes` from `from` on, in one to four places; `other` is something of the same kind.
pub fn damage(chance: &mut StdRng, bytes: &mut Vec<u8>, from: usize, other: &[u8]) {
    for _ in 0..chance.random_range(1..=4) {
        damage_once(chance, bytes, from, other);
    }
}

fn damage_once(chance: &mut StdRng, bytes: &mut Vec<u8>, from: usize, other: &[u8]) {
    if bytes.len() <= from {
        bytes.extend((0..chance.random_range(1..32)).map(|_| chance.random::<u8>()));
        return;
    }
    let at = chance.random_range(from..bytes.len());
    let length = chance.random_range(1..=ADDED_MAX).min(bytes.len() - at);
    match chance.random_range(0..10) {
        0 | 1 => bytes[at] ^= 1 << chance.random_range(0..8),
        2 => bytes[at] = chance.random(),
        3 | 4 => put_edge(chance, &mut bytes[at..]),
        5 => bytes.truncate(at),
        6 => drop(bytes.drain(at..at + length)),
        7 => {
            let again = bytes[at..at + length].to_vec();
            bytes.splice(at..at, again);
        }
        8 => bytes[at..at + length].fill(if chance.random() { 0 } else { 0xff }),
        _ if !other.is_empty() => {
            let begin = chance.random_range(0..other.len());
            let end = chance.random_range(begin..=other.len()).min(begin + ADDED_MAX);
            bytes.splice(at..at + length, other[begin..end].iter().copied());
        }
        _ => bytes.insert(at, chance.random()),
    }
}

/// A number at the edge of its type, in either order of bytes.
fn put_edge(chance: &mut StdRng, to: &mut [u8]) {
    let edge = EDGES[chance.random_range(0..EDGES.len())].wrapping_add(chance.random_range(0..3)).wrapping_sub(1);
    let width = [1, 2, 4, 8][chance.random_range(0..4)].min(to.len());
    let number = if chance.random() { edge.to_le_bytes() } else { (edge << (64 - 8 * width)).to_be_bytes() };
    to[..width].copy_from_slice(&number[..width]);
}

/// Nothing but chance.
pub fn noise(chance: &mut StdRng, bytes_max: usize) -> Vec<u8> {
    (0..chance.random_range(0..bytes_max)).map(|_| chance.random()).collect()
}

//! Uuids as 32 hexadecimal digits, and the finding of them inside texts.

/// The id of nothing.
pub const ZERO: &str = "00000000000000000000000000000000";
/// An id that no topic has.
pub const NOBODYS: &str = "0123456789abcdef0123456789abcdef";

/// The 16 bytes.
pub fn bytes(digits: &str) -> Vec<u8> {
    let bytes = super::encode::hex(&format!("0x{digits}"));
    assert_eq!(bytes.len(), 16, "'{digits}' is no uuid");
    bytes
}

/// The digits.
pub fn digits(bytes: &[u8]) -> String {
    super::encode::to_hex(bytes).split_off(2)
}

/// The dashed uuids in a text: where each begins. All are 36 bytes long.
pub fn dashed_in(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let is_uuid = |window: &[u8]| {
        window.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at + 36 <= bytes.len() {
        if is_uuid(&bytes[at..at + 36]) {
            found.push(at);
            at += 36;
        } else {
            at += 1;
        }
    }
    found
}

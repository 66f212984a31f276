//! Bytes from a bucket that are not what was written: errors, never a panic, never other records.

use bytes::Bytes;
use proptest::prelude::*;

use super::samples::{Batch, Entry, File, Plain, plain, small, write};
use crate::model::Codec;
use crate::tiering::parquet::{DecodeError, Footer, FooterError};

fn file() -> File {
    let records = (0..50).map(|offset| Plain { headers: vec![("h".to_owned(), None)], ..plain(offset, offset) });
    write(&[Entry::Batch(Batch::of(records.collect(), Codec::None, 1))], 0, 49, &small())
}

/// Reads all that can be read.
fn read(bytes: &Bytes) -> Result<Vec<i64>, String> {
    let footer = Footer::parse(bytes.len() as u64, bytes).map_err(|error| error.to_string())?;
    let mut offsets = Vec::new();
    for (number, meta) in footer.row_groups().iter().enumerate() {
        let cut = |range: &std::ops::Range<u64>| {
            bytes.slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap())
        };
        footer.decode_times(number, cut(&meta.times)).map_err(|error| error.to_string())?;
        let group = footer.decode_row_group(number, cut(&meta.bytes)).map_err(|error| error.to_string())?;
        group.batches(&super::samples::all_from(0)).map_err(|error| error.to_string())?;
        offsets.extend(group.iter().map(|row| row.offset.get()));
    }
    Ok(offsets)
}

#[test]
fn every_flipped_bit_that_is_read_is_seen() {
    let file = file();
    let good = read(&file.bytes).unwrap();
    let footer = file.footer();
    let read_at = |at: usize| {
        let at = at as u64;
        let behind = file.bytes.len() as u64 - footer.footer_bytes() as u64;
        at >= behind || footer.row_groups().iter().any(|group| group.bytes.contains(&at))
    };
    for at in 0..file.bytes.len() {
        let mut damaged = file.bytes.to_vec();
        damaged[at] ^= 1 << (at % 8);
        match read(&damaged.into()) {
            Ok(offsets) => assert!(!read_at(at) && offsets == good, "byte {at}"),
            Err(error) => assert!(read_at(at) && !error.is_empty(), "byte {at}: {error}"),
        }
    }
}

#[test]
fn a_cut_file_is_an_error_and_says_so() {
    let file = file();
    for length in 0..file.bytes.len() {
        let error = Footer::parse(length as u64, &file.bytes[..length]).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    // What is missing from the front only means that more has to be fetched.
    let footer_bytes = file.footer().footer_bytes();
    for have in 8..footer_bytes {
        let tail = &file.bytes[file.bytes.len() - have..];
        match Footer::parse(file.bytes.len() as u64, tail) {
            Err(FooterError::NeedMore { need, have: had }) => assert_eq!((need, had), (footer_bytes, have)),
            other => panic!("{have} bytes: {other:?}"),
        }
    }
    let tail = &file.bytes[file.bytes.len() - footer_bytes..];
    assert!(Footer::parse(file.bytes.len() as u64, tail).is_ok());
    assert!(matches!(Footer::parse(footer_bytes as u64, tail), Err(FooterError::Inconsistent(_))));
}

#[test]
fn the_bytes_of_another_place_are_refused() {
    let file = file();
    let footer = file.footer();
    let bytes = |number: usize| file.range(footer.row_groups()[number].bytes.clone());
    assert!(matches!(footer.decode_row_group(0, bytes(0).slice(1..)), Err(DecodeError::Length { .. })));
    assert!(footer.decode_row_group(0, bytes(1)).is_err());
    assert!(matches!(footer.decode_row_group(99, bytes(1)), Err(DecodeError::NoSuchRowGroup { number: 99, .. })));
    let mut other = bytes(0).to_vec();
    other.swap(10, 40);
    assert!(matches!(footer.decode_row_group(0, other.into()), Err(DecodeError::Crc { .. })));
}

#[test]
fn a_parquet_file_of_somebody_else_is_refused() {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    let column = std::sync::Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let rows = RecordBatch::try_from_iter([("offset", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let error = Footer::parse(bytes.len() as u64, &bytes).unwrap_err();
    assert!(matches!(error, FooterError::NotOurs), "{error}");
}

/// The same file with other metadata, its checksum right: what somebody could make on purpose.
fn with_metadata(file: &File, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let end = file.bytes.len();
    let length = u32::from_le_bytes(file.bytes[end - 8..end - 4].try_into().unwrap()) as usize;
    let mut metadata = file.bytes[end - 8 - length..end - 8].to_vec();
    change(&mut metadata);
    let mut bytes = file.bytes[..end - 16 - length].to_vec();
    bytes.extend(crc32c::crc32c(&metadata).to_le_bytes());
    bytes.extend(b"TLF1");
    bytes.extend(&metadata);
    bytes.extend(u32::try_from(metadata.len()).unwrap().to_le_bytes());
    bytes.extend(b"PAR1");
    bytes.into()
}

#[test]
fn a_newer_version_is_named() {
    let newer = with_metadata(&file(), |metadata| {
        let at = metadata.windows(11).position(|word| word == b"\"version\":1").unwrap();
        metadata[at + 10] = b'9';
    });
    let error = Footer::parse(newer.len() as u64, &newer).unwrap_err();
    assert!(matches!(error, FooterError::Version(9)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Footer::parse(bytes.len() as u64, &bytes);
    }

    #[test]
    fn metadata_made_on_purpose_is_an_error_or_reads_within_bounds(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let file = &*FILE;
        let made = with_metadata(file, |metadata| {
            for (at, byte) in changes {
                let at = at.index(metadata.len());
                metadata[at] = byte;
            }
        });
        let _ = read(&made);
    }
}

static FILE: std::sync::LazyLock<File> = std::sync::LazyLock::new(file);

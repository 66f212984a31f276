//! LZ4 frames with independent blocks, as Java's client writes and reads them.
//!
//! Invariant: what is unfolded is one whole frame with its end mark, and nothing behind it. The decoder alone would take
//! a frame that is cut between two blocks, read on into a second one, or follow blocks that need one another; Java's
//! consumer does none of these.

use std::io::{self, Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

/// Where a frame's flags lie, behind its magic.
const FLAGS_AT: usize = 4;
/// The flag that says that no block needs another.
const INDEPENDENT: u8 = 0x20;

pub(super) fn reader(packed: &[u8]) -> io::Result<impl Read + '_> {
    if packed.get(FLAGS_AT).is_some_and(|flags| flags & INDEPENDENT == 0) {
        return Err(io::Error::other("blocks that need one another are not supported"));
    }
    Ok(OneFrame { decoder: FrameDecoder::new(Source { rest: packed, ran_dry: false }), ended: false })
}

struct OneFrame<'a> {
    decoder: FrameDecoder<Source<'a>>,
    ended: bool,
}

impl Read for OneFrame<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.decoder.read(buffer)?;
        if count == 0 {
            let source = self.decoder.get_ref();
            if source.ran_dry {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the frame has no end mark"));
            }
            if !source.rest.is_empty() {
                return Err(io::Error::other("there are bytes behind the frame"));
            }
            self.ended = true;
        }
        Ok(count)
    }
}

/// The packed bytes, remembering whether more was asked for than there was.
struct Source<'a> {
    rest: &'a [u8],
    ran_dry: bool,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.rest.read(buffer)?;
        self.ran_dry |= count < buffer.len();
        Ok(count)
    }
}

pub(super) fn pack(plain: &[u8]) -> io::Result<Vec<u8>> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::with_capacity(plain.len() / 2));
    encoder.write_all(plain)?;
    encoder.finish().map_err(io::Error::other)
}

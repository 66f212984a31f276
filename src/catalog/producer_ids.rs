//! Table `producer_ids`: blocks of ids for idempotent producers.
//!
//! Invariant: this catalog gives no id twice. What a copy of it has given since it was taken it cannot know: whoever takes
//! ids says from which number on they are its own (`cluster_file` in `tiering` sets them aside). A catalog that is rebuilt
//! has another incarnation, in the upper bits.
//!
//! # Consistency
//! Each write is one transaction; a block is taken in the one that reads where it begins.
//!
//! # Crash safety
//! Whoever was answered finds its write after a crash.
//!
//! # Cancellation
//! As for every write of the catalog: one that was handed over may be made without its caller.

use futures::FutureExt as _;

use crate::model::ProducerId;

use super::catalog::Catalog;
use super::session::unreadable;
use super::storage_error::StorageError;

/// Bits of the number below the incarnation.
const NUMBER_BITS: u32 = 40;

/// The number in an id, which says nothing of the incarnation.
pub fn producer_number(id: ProducerId) -> i64 {
    id.0 & ((1 << NUMBER_BITS) - 1)
}

impl Catalog {
    /// Takes `count` ids that follow one another, with numbers from `from` on; returns the first.
    pub async fn take_producer_ids(&self, count: i64, from: i64) -> Result<ProducerId, StorageError> {
        self.write((count, from), |session, (count, from)| {
            async move {
                let sql = "INSERT INTO producer_ids (singleton, next_number) VALUES (1, $2 + $1) \
                           ON CONFLICT (singleton) DO UPDATE SET next_number = $1 + \
                           CASE WHEN producer_ids.next_number < $2 THEN $2 ELSE producer_ids.next_number END \
                           RETURNING next_number - $1 AS first, \
                           (SELECT incarnation FROM clusters WHERE singleton = 1) AS incarnation";
                let missing = || unreadable("next_number", "no row came back");
                let row = session.row(sql, &[(*count).into(), (*from).into()]).await?.ok_or_else(missing)?;
                let (incarnation, first) = (row.int("incarnation")?, row.int("first")?);
                if first.saturating_add(*count) > 1 << NUMBER_BITS {
                    return Err(unreadable("next_number", "all ids of this incarnation are given out"));
                }
                Ok(ProducerId((incarnation << NUMBER_BITS) + first))
            }
            .boxed()
        })
        .await
    }
}

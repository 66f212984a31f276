//! What a group takes in memory, about: enough to bound it.

use super::state::Group;
use crate::model::limits::GROUP_BYTES_MIN;

/// A member, its texts and bytes left aside.
const MEMBER_BYTES: usize = 512;

impl Group {
    /// Its members; walks over all of them.
    pub fn members_bytes(&self) -> usize {
        let members = self.members.members.iter().map(|(id, member)| {
            let protocols: usize = member.protocols.iter().map(|known| known.name.len() + known.metadata.len()).sum();
            let texts = 3 * id.len() + member.client_id.len() + member.client_host.len();
            MEMBER_BYTES + texts + protocols + member.assignment.len()
        });
        let ids = self.members.pending_join.keys().map(|id| MEMBER_BYTES / 4 + id.len());
        GROUP_BYTES_MIN + members.sum::<usize>() + ids.sum::<usize>()
    }

    /// Its offsets.
    pub fn offsets_bytes(&self) -> usize {
        self.offsets.bytes()
    }
}

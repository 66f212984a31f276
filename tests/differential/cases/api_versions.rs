//! ApiVersions.

use serde_json::json;

use crate::peer::Peer;

/// What is served.
pub fn lists(peer: &mut Peer) {
    peer.step("a client that names itself");
    peer.ask_all("ApiVersions", &json!({ "clientSoftwareName": "differential", "clientSoftwareVersion": "1.0" }));
    peer.step("a version of the future");
    for version in [6, 99, i16::MAX] {
        // Its header is read as the newest that there is, so it has to be one.
        let named = json!({ "clientSoftwareName": "differential", "clientSoftwareVersion": "1.0" });
        let mut frame = peer.frame("ApiVersions", peer.newest("ApiVersions"), &named);
        frame[2..4].copy_from_slice(&version.to_be_bytes());
        peer.raw(&with_length(&frame), Some(("ApiVersions", 0)));
    }
    peer.step("a negative version");
    let mut frame = peer.frame("ApiVersions", 0, &json!({}));
    frame[2..4].copy_from_slice(&(-1_i16).to_be_bytes());
    peer.raw(&with_length(&frame), Some(("ApiVersions", 0)));
}

/// How clients may call themselves.
pub fn software_names(peer: &mut Peer) {
    let long = "x".repeat(300);
    let odd = ["", " ", "a", "-a", "a-", ".a", "a.", "a.b-c", "a b", "a_b", "ä", "1", "a/b", "a\u{0}", &long];
    for name in odd {
        peer.step(&format!("'{}'", &name[..name.len().min(8)]));
        peer.ask_all("ApiVersions", &json!({ "clientSoftwareName": name, "clientSoftwareVersion": "1.0" }));
        peer.ask_all("ApiVersions", &json!({ "clientSoftwareName": "differential", "clientSoftwareVersion": name }));
    }
}

/// A frame as the socket has it.
pub fn with_length(frame: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(frame.len()).expect("a small frame").to_be_bytes().to_vec();
    out.extend(frame);
    out
}

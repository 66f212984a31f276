//! Which uploads of one object were begun and not ended: asked for and answered alike by S3 and GCS.
//!
//! Source: S3's `ListMultipartUploads`, of which GCS's XML interface has the same.

use object_store::path::Path;

use super::failure::Cause;
use super::plain;
use super::xml::{elements, root, text_of};

/// The query of a bucket's URL that asks for the uploads of this object, and of those whose keys begin with its key.
pub(super) fn query(path: &Path) -> String {
    // Queries are signed with their `/` escaped.
    format!("prefix={}&uploads", plain::encoded(path).replace('/', "%2F"))
}

/// The ids of those of this very object. One page has a thousand, and nobody begins one object so often.
pub(super) fn ids(answer: &str, path: &Path) -> Result<Vec<String>, Cause> {
    if root(answer) != Some("ListMultipartUploadsResult") {
        return Err("the answer is not a list of uploads".into());
    }
    let of_this = elements(answer, "Upload").filter(|upload| text_of(upload, "Key") == path.as_ref());
    Ok(of_this.map(|upload| text_of(upload, "UploadId")).filter(|id| !id.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_uploads_of_this_very_object_count() {
        let path = Path::parse("a b/topics/x&y=1").unwrap();
        assert_eq!(query(&path), "prefix=a%20b%2Ftopics%2Fx%26y%3D1&uploads");
        let answer = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"x\"><Bucket>b</Bucket><KeyMarker/>\
                      <Upload><Key>a b/topics/x&amp;y=1</Key><UploadId>one</UploadId></Upload>\
                      <Upload><UploadId>two</UploadId><Key>a b/topics/x&amp;y=1.parquet</Key></Upload>\
                      <Upload><UploadId>three</UploadId><Key>a b/topics/x&amp;y=1</Key></Upload>\
                      </ListMultipartUploadsResult>";
        assert_eq!(ids(answer, &path).unwrap(), ["one", "three"]);
        let none = "<ListMultipartUploadsResult><Prefix>a</Prefix></ListMultipartUploadsResult>";
        assert_eq!(ids(none, &path).unwrap(), [""; 0]);
        for other in ["", "<ListBucketResult></ListBucketResult>", "<html>sign in</html>"] {
            assert!(ids(other, &path).is_err(), "{other}");
        }
    }
}

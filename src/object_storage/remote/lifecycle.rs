//! What a bucket's lifecycle rules say about uploads that nobody finished. S3 and GCS word them alike.

use super::xml::elements;

/// Whether a rule ends unfinished uploads of every key below `prefix` (empty, or with its `/`).
pub(super) fn ends_unfinished(rules: &str, prefix: &str) -> bool {
    elements(rules, "Rule").any(|rule| {
        let ends = elements(rule, "AbortIncompleteMultipartUpload").next().is_some();
        // GCS has no switch: a rule that is there is on.
        let on = elements(rule, "Status").next().is_none_or(|status| status.trim() == "Enabled");
        let mut scopes = elements(rule, "Prefix").chain(elements(rule, "MatchesPrefix")).peekable();
        let covers = scopes.peek().is_none() || scopes.any(|scope| prefix.starts_with(scope.trim()));
        let narrowed = ["Tag", "MatchesSuffix"].iter().any(|name| elements(rule, name).next().is_some());
        ends && on && covers && !narrowed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(inner: &str) -> String {
        format!(
            r#"<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>other</ID><Filter/><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule><Rule>{inner}</Rule></LifecycleConfiguration>"#
        )
    }

    const ABORT: &str =
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>";

    #[test]
    fn a_rule_counts_where_it_is_on_and_covers_the_prefix() {
        let on = "<Status>Enabled</Status>";
        for (inner, expected) in [
            (format!("{on}<Filter/>{ABORT}"), true),
            (format!("{on}<Prefix></Prefix>{ABORT}"), true),
            (format!("{on}<Filter><Prefix>log/</Prefix></Filter>{ABORT}"), true),
            (format!("{on}<Filter><Prefix>lo</Prefix></Filter>{ABORT}"), true),
            (format!("{on}<Filter><Prefix>log/a/topics</Prefix></Filter>{ABORT}"), false),
            (format!("{on}<Filter><Prefix>other/</Prefix></Filter>{ABORT}"), false),
            (format!("<Status>Disabled</Status><Filter/>{ABORT}"), false),
            (format!("{on}<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>{ABORT}"), false),
            (format!("{on}<Filter/>"), false),
            ("<Action><AbortIncompleteMultipartUpload/></Action><Condition><Age>7</Age></Condition>".to_owned(), true),
        ] {
            assert_eq!(ends_unfinished(&rule(&inner), "log/a/"), expected, "{inner}");
        }
        assert!(!ends_unfinished("", ""));
        assert!(!ends_unfinished("<LifecycleConfiguration/>", ""));
    }
}

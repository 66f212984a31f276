//! As much of XML as the answers of object stores need: the contents of elements by name. Answers are small, flat
//! and written by servers; what is not well formed is simply not found.

/// The contents of every element of that name, in order; an empty element has an empty one.
pub(super) fn elements<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, inside) = rest.split_once('<')?;
            let (tag, after) = inside.split_once('>')?;
            rest = after;
            let opened = tag.strip_suffix('/').unwrap_or(tag);
            if opened.split_ascii_whitespace().next() != Some(name) {
                continue;
            }
            if tag.ends_with('/') {
                return Some("");
            }
            let (content, after) = after.split_once(format!("</{name}>").as_str())?;
            rest = after;
            return Some(content);
        }
    })
}

/// The text of the first element of that name; empty where there is none.
pub(super) fn text_of(text: &str, name: &str) -> String {
    let raw = elements(text, name).next().unwrap_or_default().trim();
    let plain = raw.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    plain.replace("&amp;", "&")
}

/// The name of the outermost element.
pub(super) fn root(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let (_, inside) = rest.split_once('<')?;
        let (tag, after) = inside.split_once('>')?;
        rest = after;
        if !tag.starts_with(['?', '!']) {
            return tag.strip_suffix('/').unwrap_or(tag).split_ascii_whitespace().next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_their_whole_name() {
        let text = r#"<?xml version="1.0"?><Error xmlns="x"><Codes>no</Codes><Code>NoSuchKey</Code><Message>a &lt;b&gt; &amp;amp;</Message><Empty/><Code>second</Code></Error>"#;
        assert_eq!(root(text), Some("Error"));
        assert_eq!(text_of(text, "Code"), "NoSuchKey");
        assert_eq!(text_of(text, "Message"), "a <b> &amp;");
        assert_eq!(elements(text, "Code").collect::<Vec<_>>(), ["NoSuchKey", "second"]);
        assert_eq!(elements(text, "Empty").collect::<Vec<_>>(), [""]);
        assert_eq!(text_of(text, "Missing"), "");
    }

    #[test]
    fn what_is_not_well_formed_is_not_found() {
        for text in ["", "<", "<Code", "<Code>", "<Code>x", "Code>x</Code>", "< Code>x</Code", "<html><body>no"] {
            assert_eq!(text_of(text, "Code"), "", "{text}");
        }
        assert_eq!(root("<!-- x --><html>"), Some("html"));
        assert_eq!(root("nothing"), None);
    }
}

//! What entries and tags are called on the server.
//!
//! An entry is `key_prefix` + namespace + `:` + key, a tag `key_prefix` +
//! namespace + `%t:` + tag. `:` and `%` within a namespace are written `%3A`
//! and `%25`: else the key `b:x` of namespace `a` would be the key `x` of
//! namespace `a:b`, and clearing the one would clear the other.

/// The two prefixes of a namespace.
#[derive(Clone)]
pub struct Names {
    entries: Vec<u8>,
    tags: Vec<u8>,
}

impl Names {
    /// The names of a namespace under a prefix.
    pub fn new(prefix: &str, namespace: &str) -> Self {
        let escaped = namespace.replace('%', "%25").replace(':', "%3A");
        let named = |end: &str| format!("{prefix}{escaped}{end}").into_bytes();
        Self { entries: named(":"), tags: named("%t:") }
    }

    /// The name of an entry.
    pub fn entry(&self, key: &[u8]) -> Vec<u8> {
        [&self.entries, key].concat()
    }

    /// The name of a tag's version.
    pub fn tag(&self, tag: &[u8]) -> Vec<u8> {
        [&self.tags, tag].concat()
    }

    /// What the names of entries and of tags begin with.
    pub fn prefixes(&self) -> [&[u8]; 2] {
        [&self.entries, &self.tags]
    }

    /// The key behind the name of an entry.
    pub fn key_of<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        name.strip_prefix(&self.entries[..])
    }

    /// The tag behind the name of its version.
    pub fn tag_of<'a>(&self, name: &'a [u8]) -> Option<&'a [u8]> {
        name.strip_prefix(&self.tags[..])
    }

    /// A pattern for entries whose key begins with `prefix`.
    pub fn entries_like(&self, prefix: &[u8]) -> Vec<u8> {
        pattern(&[&self.entries, prefix].concat())
    }

    /// A pattern for all tags.
    pub fn all_tags(&self) -> Vec<u8> {
        pattern(&self.tags)
    }
}

/// A glob pattern for what begins with these bytes.
fn pattern(prefix: &[u8]) -> Vec<u8> {
    let mut glob = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if b"*?[]^-\\".contains(byte) {
            glob.push(b'\\');
        }
        glob.push(*byte);
    }
    glob.push(b'*');
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_of_one_namespace_is_a_key_of_another() {
        let spaces = ["", "a", "a:b", "a%3Ab", "a%t", "%t", ":"];
        for one in spaces {
            for other in spaces.iter().filter(|other| **other != one) {
                let (one, other) = (Names::new("twat:", one), Names::new("twat:", other));
                for prefix in one.prefixes() {
                    assert!(other.prefixes().iter().all(|theirs| !theirs.starts_with(prefix)));
                }
            }
        }
    }

    #[test]
    fn a_pattern_means_the_bytes_it_is_made_of() {
        assert_eq!(Names::new("p*", "n?").entries_like(b"[a-z]\\"), b"p\\*n\\?:\\[a\\-z\\]\\\\*");
    }
}

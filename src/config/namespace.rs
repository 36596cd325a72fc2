//! The namespace that holds the results of a function.

use std::borrow::Cow;

/// Bytes that a namespace has at most (the option table says so too).
const MAX: usize = 200;
/// Bytes of a long name that are kept, before `~` and 64 digits of its hash.
const KEPT: usize = 135;

/// A name, or what stands for a long one: its beginning, `~`, its hash.
pub fn of_name(name: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(name) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(String::from_utf8_lossy(name).replace('\u{fffd}', "?")),
    };
    if text.len() <= MAX {
        return text;
    }
    let mut cut = KEPT;
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let hash = blake3::hash(text.as_bytes());
    Cow::Owned(format!("{}~{}", &text[..cut], hash.to_hex()))
}

#[cfg(test)]
mod tests {
    use super::of_name;

    #[test]
    fn long_names_keep_their_beginning_and_differ_by_their_hash() {
        assert_eq!(of_name(b"shop.prices"), "shop.prices");
        let name = "a".repeat(200);
        assert_eq!(of_name(name.as_bytes()), name);
        let (one, two) = (format!("{name}1"), format!("{name}2"));
        assert_eq!(of_name(one.as_bytes()).len(), 200);
        assert_ne!(of_name(one.as_bytes()), of_name(two.as_bytes()));
        let wide = of_name("é".repeat(150).as_bytes()).into_owned();
        assert!(wide.starts_with(&"é".repeat(67)) && wide.as_bytes()[134] == b'~', "{wide}");
    }
}

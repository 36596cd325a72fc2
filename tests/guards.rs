//! Rules of the C boundary that are read off its source.

use std::path::Path;

fn ffi_files() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi");
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| !path.ends_with("tests.rs")).map(read).collect()
}

/// The exported functions of a file, each from its signature to its closing brace.
fn functions(text: &str) -> Vec<&str> {
    text.match_indices("#[unsafe(no_mangle)]")
        .map(|(at, _)| {
            let rest = &text[at..];
            &rest[..rest.find("\n}\n").map_or(rest.len(), |end| end + 3)]
        })
        .collect()
}

/// What answers the plainest case before its guard, which would cost a third of
/// it; nothing in there can panic. The rest is another function's.
const AT_ONCE: [&str; 3] = ["twat_bytes_free", "twat_cache_get", "twat_cache_get_into"];

/// That a function is one call of `guard`, past what [`AT_ONCE`] may do first.
fn assert_guarded(file: &str, text: &str, function: &str) {
    let signature = function.lines().nth(1).unwrap();
    let name = signature.split("fn ").nth(1).unwrap().split('(').next().unwrap();
    let mut lines = function[function.find("{\n").unwrap() + 2..].lines().map(str::trim);
    let mut next = || lines.find(|line| !line.starts_with("const ") && !line.starts_with("//"));
    if AT_ONCE.contains(&name) {
        assert!(next().unwrap().contains("_at_once"), "{name}");
        let other = next().and_then(|line| line.strip_prefix(".unwrap_or_else(|| unsafe { "));
        let other = other.unwrap_or_else(|| panic!("{name}: a plain try, then the rest"));
        let rest = format!("unsafe extern \"C\" fn {}", &other[..=other.find('(').unwrap()]);
        let rest = &text[text.find(&rest).expect("in the same file")..];
        let rest = &rest[..rest.find("\n}\n").unwrap()];
        let (before, _) = rest.split_once("    guard(|| {").expect("a guard");
        let (_, before) = before.split_once("{\n").unwrap();
        // Once more the same, for what is a little less plain.
        let first = before.lines().map(str::trim).find(|line| !line.starts_with("//"));
        let tries = before.matches("_at_once::<false>(").count();
        assert!(first.is_none_or(|line| line.contains("_at_once::<false>(")), "{name}: {before}");
        let statements = before.matches(';').count() - before.matches("let read =").count();
        assert_eq!(statements, tries, "{name}: something runs outside: {before}");
        return;
    }
    assert_eq!(function.matches("guard(").count(), 1, "{file}: {signature}");
    let first = next().unwrap();
    assert!(first.starts_with("guard("), "{file}: something runs outside: {first}");
}

/// What runs outside any guard, by file.
const UNGUARDED: [(&str, &[&str]); 6] = [
    ("src/ffi/get.rs", &["get_at_once", "read_at_once", "at_once", "copy_out"]),
    ("src/ffi/bytes.rs", &["free_at_once"]),
    ("src/engine/memory/quick.rs", &["hit"]),
    ("src/engine/memory/shard.rs", &["get_at_once", "hash_of_short"]),
    ("src/engine/memory/index.rs", &["likeliest"]),
    ("src/mem/counted.rs", &["value_of", "share_once", "is_counted", "leave_at_once", "at"]),
];

#[test]
fn nothing_outside_a_guard_can_panic() {
    for (file, names) in UNGUARDED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        for name in names {
            let begin = [format!("fn {name}("), format!("fn {name}<")];
            let at = begin.iter().find_map(|begin| text.find(begin)).expect(name);
            let indent = at - text[..at].rfind('\n').unwrap() - 1;
            let indent = text[at - indent..at].len() - text[at - indent..at].trim_start().len();
            let end = format!("\n{}}}\n", " ".repeat(indent));
            let body = &text[at..at + text[at..].find(&end).unwrap()];
            for word in ["unwrap()", "expect(", "panic!", "assert", "unreachable!", " / ", " % "] {
                assert!(!body.contains(word), "{file}: {name} has {word}");
            }
            let indexed = body.as_bytes().windows(2).any(|pair| {
                pair[1] == b'[' && (pair[0].is_ascii_alphanumeric() || b")]_".contains(&pair[0]))
            });
            assert!(!indexed, "{file}: {name} indexes");
        }
    }
}

#[test]
fn every_exported_function_is_one_guarded_body() {
    let mut count = 0;
    for (name, text) in ffi_files() {
        for function in functions(&text) {
            assert_guarded(&name, &text, function);
            count += 1;
        }
        let exported = text.matches("pub unsafe extern \"C\" fn twat_").count()
            + text.matches("pub extern \"C\" fn twat_").count();
        assert_eq!(exported, functions(&text).len(), "{name}: an extern fn is not exported");
    }
    assert!(count > 45, "the search for functions is broken: found {count}");
}

#[test]
fn a_callers_mistake_never_reaches_a_panic() {
    for (name, text) in ffi_files() {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in [".unwrap()", ".expect(", "panic!(", "assert!(", "unreachable!(", "todo!("] {
            assert!(!code.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn every_function_says_its_errors_and_since_when() {
    for (name, text) in ffi_files() {
        for (at, _) in text.match_indices("#[unsafe(no_mangle)]") {
            let doc: Vec<&str> =
                text[..at].lines().rev().take_while(|line| line.starts_with("///")).collect();
            let has = |what: &str| doc.iter().any(|line| line.contains(what));
            let signature = text[at..].lines().nth(1).unwrap();
            assert!(has("Errors:") && has("Since:"), "{name}: {signature}");
            if signature.contains("unsafe") {
                assert!(has("# Safety"), "{name}: {signature}");
            }
        }
    }
}

#[test]
fn no_function_is_made_by_a_macro() {
    for (name, text) in ffi_files() {
        for body in text.split("macro_rules!").skip(1) {
            let end = body.find("\n}\n").unwrap_or(body.len());
            assert!(!body[..end].contains("no_mangle"), "{name}: cbindgen would not see it");
        }
    }
}

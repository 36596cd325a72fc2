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
        let tries = before.matches("_at_once::<false>(").count();
        let statements = before.matches(';').count() - before.matches("let read =").count();
        assert_eq!(statements, tries, "{name}: something runs outside: {before}");
        return;
    }
    assert_eq!(function.matches("guard(").count(), 1, "{file}: {signature}");
    let first = next().unwrap();
    assert!(first.starts_with("guard("), "{file}: something runs outside: {first}");
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

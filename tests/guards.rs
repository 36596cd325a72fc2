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

#[test]
fn every_exported_function_is_one_guarded_body() {
    let mut count = 0;
    for (name, text) in ffi_files() {
        for function in functions(&text) {
            let guards = function.matches("guard(").count();
            assert_eq!(guards, 1, "{name}: {}", function.lines().nth(1).unwrap());
            let body = &function[function.find("{\n").unwrap() + 2..];
            let first = body.lines().find(|line| !line.trim().starts_with("const ")).unwrap();
            assert!(first.trim().starts_with("guard("), "{name}: something runs outside: {first}");
            count += 1;
        }
        let exported = text.matches("extern \"C\" fn twat_").count();
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

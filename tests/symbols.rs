//! What the header declares, what the library exports and what
//! `docs/symbols.txt` lists are one set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library that was built with this test.
fn library() -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let name =
        format!("{}twat_cache{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    // Cargo makes the one beside the tests anew, and leaves the one above it as it was.
    [deps.join(&name), deps.parent().unwrap().join(&name)]
        .into_iter()
        .find(|path| path.exists())
        .expect("the cdylib is built with the tests")
}

fn declared() -> BTreeSet<String> {
    let header = std::fs::read_to_string(root().join("include/twat_cache.h")).unwrap();
    let code: String = {
        let mut rest = header.as_str();
        let mut out = String::new();
        while let Some(at) = rest.find("/*") {
            out.push_str(&rest[..at]);
            rest = &rest[at..][rest[at..].find("*/").unwrap() + 2..];
        }
        out + rest
    };
    code.match_indices("twat_")
        .filter_map(|(at, _)| {
            let word: String =
                code[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            code[at + word.len()..].starts_with('(').then_some(word)
        })
        .collect()
}

fn exported() -> BTreeSet<String> {
    let nm = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().unwrap();
    assert!(nm.status.success(), "nm: {}", String::from_utf8_lossy(&nm.stderr));
    let text = String::from_utf8(nm.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect()
}

#[test]
fn header_exports_and_list_agree_and_nothing_else_leaks() {
    let (declared, exported) = (declared(), exported());
    assert_eq!(declared, exported, "header and library differ");
    assert!(exported.iter().all(|symbol| symbol.starts_with("twat_")));
    let path = root().join("docs/symbols.txt");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let mut listed: BTreeSet<String> = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (symbol, since) = line.split_once(' ').expect("symbol and version");
        assert!(since.trim().split('.').count() == 3, "{line}: expected a version");
        assert!(listed.insert(symbol.to_owned()), "{symbol} is listed twice");
    }
    if std::env::var_os("TWAT_BLESS").is_some() {
        let version = env!("CARGO_PKG_VERSION");
        let missing: Vec<_> =
            declared.difference(&listed).map(|s| format!("{s} {version}\n")).collect();
        std::fs::write(&path, text + &missing.concat()).unwrap();
        return;
    }
    assert_eq!(declared, listed, "docs/symbols.txt is stale: TWAT_BLESS=1 adds what is missing");
}

//! A file imports only from rows below its own (ARCHITECTURE.md draws them).

use std::path::{Path, PathBuf};

/// From the top. Modules of one row may use each other where they say so.
const ROWS: [&[&str]; 11] = [
    &["ffi"],
    &["cache"],
    &["engine"],
    &["policy"],
    &["lease"],
    &["lmdb"],
    &["integrity"],
    &["files"],
    &["config", "format"],
    &["mem"],
    &["base"],
];

fn row_of(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every `crate::module` that the code (not its comments) names.
fn imports(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    code.flat_map(|line| {
        line.match_indices("crate::").map(|(at, _)| word(&line[at + 7..])).collect::<Vec<String>>()
    })
    .collect()
}

#[test]
fn data_flows_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut seen = 0;
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = row_of(module).unwrap_or_else(|| panic!("{module}: add it to a row"));
        for used in imports(&std::fs::read_to_string(&file).unwrap()) {
            let below = row_of(&used)
                .unwrap_or_else(|| panic!("{}: crate::{used} is in no row", relative.display()));
            assert!(below >= own, "{}: crate::{used} lies above it", relative.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "the search for imports is broken: found {seen}");
}

#[test]
fn unsafe_lives_where_contributing_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let (_, list) = text.split_once("- `unsafe` lives").expect("the sentence");
    let (list, _) = list.split_once("SAFETY").expect("its end");
    let listed: Vec<&str> = list.split('`').filter(|word| word.starts_with("src/")).collect();
    assert!(listed.len() > 5, "{listed:?}");
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut used = std::collections::BTreeSet::new();
    for file in files {
        let code = std::fs::read_to_string(&file).unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let unsafe_code = lines.map(|line| line.replace("#[unsafe(", "")).any(|line| {
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"]
                .iter()
                .any(|word| line.contains(word))
        });
        if unsafe_code {
            let name = file.strip_prefix(root).unwrap().to_str().unwrap();
            let place = listed.iter().find(|place| name.starts_with(**place));
            used.insert(*place.unwrap_or_else(|| panic!("{name} is not in CONTRIBUTING.md")));
        }
    }
    assert_eq!(used, listed.into_iter().collect(), "listed, and without unsafe");
}

#[test]
fn the_boundary_knows_no_engine_but_memory() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi"), &mut files);
    for file in files {
        let code = std::fs::read_to_string(&file).unwrap();
        for engine in ["disk", "redis", "tiered", "null", "auto"] {
            assert!(!code.contains(&format!("engine::{engine}")), "{}: {engine}", file.display());
        }
    }
}

#[test]
fn policies_know_nothing_above_them_and_engines_not_the_boundary() {
    assert_eq!(imports("use crate::engine::x; // crate::no\n//! crate::cache"), ["engine", "no"]);
}

//! `docs/options.md` is the option table, rendered.

use std::fmt::Write as _;
use std::path::Path;
use twat_cache::config::options::{OPTIONS, engine_names};

const INTRO: &str = "# Options

One table for every language: setters, checks, `twat_option_info` and the bindings are derived from
`src/config/options.rs`, and so is this page (`TWAT_BLESS=1 cargo test --test options_doc`).

As text, integers are decimal and truth values `true` or `false`. Times are milliseconds and sizes bytes, or have a unit:
`1h30m`, `500 MB` (`twat_parse_duration`, `twat_parse_size`). An unknown option or a value out of range fails when it is
set. Options that contradict each other fail when the cache is opened. The text says what was expected and what was found.

C, C++ and JSON use the names of the first column, Python (`Cache`) those of the second, Node those of the third. A plain
number for `ttl` is seconds in Python and milliseconds in Node.

| C, C++ | Python | Node | type | default | values | engines | |
|---|---|---|---|---|---|---|---|
";

const OUTRO: &str = "
`policy` here is the eviction policy alone, for hosts that keep their own objects (`twat_policy`).

A store that is open in this process with other bounds or format options is `TWAT_E_CONFIG` with both values in
the text. Bounds, policy and compression are recorded in the store: an opener takes those that it does not name, and changes those
that it names for all processes (docs/disk.md).
";

/// Python keeps the names, but for times to live, which it counts in seconds.
fn in_python(name: &str) -> String {
    match name {
        "ttl_ms" => "`ttl`".into(),
        _ => format!("`{name}`"),
    }
}

/// Node writes names in camelCase, and has a short one where its users know one.
fn in_node(name: &str) -> String {
    let mut camel = String::new();
    for (i, word) in name.split('_').enumerate() {
        let (first, rest) = word.split_at(usize::from(i > 0));
        camel.extend([first.to_uppercase(), rest.to_owned()]);
    }
    match name {
        "max_entries" => format!("`max`, `{camel}`"),
        "ttl_ms" => format!("`ttl`, `{camel}`"),
        _ => format!("`{camel}`"),
    }
}

fn rendered() -> String {
    let mut page = INTRO.to_owned();
    for spec in OPTIONS {
        let engines: Vec<_> = engine_names(spec.engines).collect();
        let (name, kind, doc) = (spec.name, spec.type_name(), spec.doc);
        let default = if spec.default.is_empty() { "–" } else { spec.default };
        let names = format!("`{name}` | {} | {}", in_python(name), in_node(name));
        let row = format!("| {names} | {kind} | {default} | {} |", spec.range());
        writeln!(page, "{row} {} | {doc} |", engines.join(" ")).unwrap();
    }
    page + OUTRO
}

#[test]
fn the_page_of_options_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    let now = rendered();
    if std::env::var_os("TWAT_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == now, "docs/options.md is stale: TWAT_BLESS=1 cargo test --test options_doc");
}

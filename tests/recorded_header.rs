//! The ABI guard: what a released header promised, today's still has. Every
//! prototype, constant and struct of `tests/abi/twat_cache-<version>.h` is
//! compared; additions pass, any change fails. `TWAT_BLESS=1` records today's
//! header, as long as its version is not released.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a C program can come to depend on, by name.
#[derive(Default)]
struct Surface {
    /// Constants, prototypes and opaque types: name to text.
    fixed: BTreeMap<String, String>,
    /// Structs: name to fields, in order.
    structs: BTreeMap<String, Vec<String>>,
}

fn without_comments(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some(start) = rest.find("/*") {
        code.push_str(&rest[..start]);
        rest = rest[start..].split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn surface(header: &str) -> Surface {
    let code = without_comments(header);
    let mut surface = Surface::default();
    let mut statements = String::new();
    for line in code.lines() {
        if let Some(define) = line.strip_prefix("#define ") {
            let (name, value) = define.split_once(' ').unwrap_or((define, ""));
            surface.fixed.insert(name.to_owned(), words(value));
        } else if !line.starts_with('#') && !line.contains("extern \"C\"") {
            statements.push_str(line);
            statements.push('\n');
        }
    }
    while let Some(end) = end_of_statement(&statements) {
        statement(&words(&statements[..end]), &mut surface);
        statements.drain(..=end);
    }
    surface
}

/// The semicolon that is not inside braces.
fn end_of_statement(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return Some(at),
            _ => {}
        }
        None
    })
}

fn statement(text: &str, surface: &mut Surface) {
    if let Some((head, rest)) = text.split_once('{') {
        let (body, _) = rest.rsplit_once('}').expect("a closing brace");
        let name = head.trim().trim_start_matches("typedef struct ").to_owned();
        let fields = body.split(';').map(words).filter(|field| !field.is_empty()).collect();
        surface.structs.insert(name, fields);
    } else if let Some((head, _)) = text.split_once('(') {
        let name = head.rsplit([' ', '*']).next().unwrap_or(head).to_owned();
        surface.fixed.insert(name, text.to_owned());
    } else if text.starts_with("typedef") {
        let name = text.rsplit(' ').next().unwrap_or(text).to_owned();
        surface.fixed.insert(name, text.to_owned());
    }
}

/// What is missing from, or different in, `now`. A struct that tells its size
/// may have grown at its end; no other may.
fn breaks(then: &Surface, now: &Surface) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in &then.fixed {
        match now.fixed.get(name) {
            None => found.push(format!("{name}: gone")),
            Some(today) if today != text => {
                found.push(format!("{name}: was '{text}', is '{today}'"))
            }
            Some(_) => {}
        }
    }
    for (name, fields) in &then.structs {
        let today = now.structs.get(name).map(Vec::as_slice).unwrap_or_default();
        let sized = fields.first().is_some_and(|field| field == "size_t struct_size");
        let same = if sized { today.starts_with(fields) } else { today == fields };
        if !same {
            found.push(format!("struct {name}: was {fields:?}, is {today:?}"));
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn todays() -> String {
    std::fs::read_to_string(root().join("include/twat_cache.h")).unwrap()
}

fn recorded() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("tests/abi")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "h")).collect()
}

#[test]
fn what_a_released_header_promised_is_kept() {
    let major = format!("twat_cache-{}.", env!("CARGO_PKG_VERSION_MAJOR"));
    if std::env::var_os("TWAT_BLESS").is_some() {
        let name = format!("tests/abi/twat_cache-{}.h", env!("CARGO_PKG_VERSION"));
        std::fs::write(root().join(name), todays()).unwrap();
    }
    let now = surface(&todays());
    let mut compared = 0;
    for path in recorded() {
        if !path.file_name().unwrap().to_string_lossy().starts_with(&major) {
            continue;
        }
        let then = surface(&std::fs::read_to_string(&path).unwrap());
        assert!(then.fixed.len() > 80 && then.structs.len() >= 5, "{}: not read", path.display());
        let broken = breaks(&then, &now);
        assert!(broken.is_empty(), "{}: the ABI is broken:\n{}", path.display(), broken.join("\n"));
        compared += 1;
    }
    assert!(compared > 0, "no header is recorded for this major version");
}

/// Today's header with one edit, against today's.
fn after(from: &str, to: &str) -> Vec<String> {
    let header = todays();
    assert!(header.contains(from), "'{from}' is not in the header");
    breaks(&surface(&header), &surface(&header.replacen(from, to, 1)))
}

#[test]
fn every_kind_of_change_is_seen() {
    let changes = [
        ("#define TWAT_E_FULL -5", "#define TWAT_E_FULL -15", "TWAT_E_FULL"),
        ("#define TWAT_E_FULL -5", "", "TWAT_E_FULL: gone"),
        ("int32_t twat_cache_flush(struct twat_cache *cache);", "", "twat_cache_flush: gone"),
        ("int32_t twat_cache_flush(struct", "void twat_cache_flush(struct", "twat_cache_flush"),
        ("size_t capacity,\n", "uint32_t capacity,\n", "twat_cache_get_into"),
        ("typedef struct twat_scan twat_scan;", "", "twat_scan"),
        ("    uint64_t misses;", "", "struct twat_stats"),
        ("    uint64_t hits;", "    int64_t hits;", "struct twat_stats"),
        ("    uint64_t misses;", "    uint64_t before;\n    uint64_t misses;", "struct twat_stats"),
        ("    void *owner;", "    void *owner;\n    int32_t kind;", "struct twat_bytes"),
    ];
    for (from, to, word) in changes {
        let found = after(from, to);
        assert!(found.len() == 1 && found[0].contains(word), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn additions_and_words_are_not_changes() {
    let additions = [
        ("#define TWAT_E_FULL -5", "#define TWAT_E_FULL -5\n#define TWAT_E_NEW -13"),
        ("int32_t twat_cache_flush(", "int32_t twat_cache_new(void);\nint32_t twat_cache_flush("),
        ("} twat_stats;", "    uint64_t added;\n} twat_stats;"),
        (" Success.", " It went well."),
        ("size_t key_len,\n", "size_t   key_len,\n\n"),
    ];
    for (from, to) in additions {
        assert_eq!(after(from, to), Vec::<String>::new(), "{from} -> {to}");
    }
}

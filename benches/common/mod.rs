//! Rows of the table that `make bench` prints: what, ours, peer, ratio, target.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

/// What a row must show.
#[derive(Clone, Copy)]
pub enum Target {
    /// The ratio (or figure) is at most this.
    AtMost(f64),
    /// The ratio (or figure) is at least this.
    AtLeast(f64),
    /// There is none: the row says what others do.
    Shown,
}

/// One comparison of one run.
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub ours: f64,
    /// The peer and its figure; without one the target is for `ours` itself.
    pub peer: Option<(&'static str, f64)>,
    /// Compare by difference instead of ratio.
    pub difference: bool,
    pub target: Target,
}

impl Row {
    pub fn ratio(what: &str, ours: f64, peer: &'static str, theirs: f64, target: Target) -> Self {
        let what = what.to_owned();
        Self { what, unit: "ns", ours, peer: Some((peer, theirs)), difference: false, target }
    }

    fn compared(&self) -> f64 {
        match self.peer {
            Some((_, theirs)) if self.difference => self.ours - theirs,
            Some((_, theirs)) => self.ours / theirs,
            None => self.ours,
        }
    }

    fn is_met(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.compared() <= most,
            Target::AtLeast(least) => self.compared() >= least,
            Target::Shown => true,
        }
    }

    fn target(&self) -> String {
        let (sign, bound) = match self.target {
            Target::AtMost(most) => ("<=", most),
            Target::AtLeast(least) => (">=", least),
            Target::Shown => return "(shown)".into(),
        };
        format!("{sign} {bound}")
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "what": match self.peer {
                Some((name, _)) => format!("{}, against {name}", self.what),
                None => self.what.clone(),
            },
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer.map(|(_, figure)| figure),
            "ratio": self.compared(),
            "target": self.target(),
            "met": self.is_met(),
        })
    }
}

/// Prints the table and writes `target/bench/<name>.json`.
pub fn report(name: &str, rows: &[Row]) {
    println!("{:<58} {:>9} {:>26} {:>8}  target", name, "ours", "peer", "ratio");
    for row in rows {
        let peer = row.peer.map_or("-".into(), |(name, figure)| format!("{name} {figure:.1}"));
        let ours = format!("{:.1} {}", row.ours, row.unit);
        let compared = format!("{:.2}", row.compared());
        let behind = if row.is_met() { "" } else { "BEHIND" };
        let (what, target) = (&row.what, row.target());
        println!("{what:<58} {ours:>9} {peer:>26} {compared:>8}  {target:<8}{behind}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let rows: Vec<_> = rows.iter().map(Row::json).collect();
    let text = serde_json::to_string_pretty(&rows).expect("plain data");
    std::fs::create_dir_all(&folder).expect("target/bench");
    std::fs::write(folder.join(format!("{name}.json")), text).expect("write the figures");
}

/// A named thing to time: runs some operations and returns how many.
pub struct Timed<'a> {
    pub name: &'static str,
    pub run: Box<dyn FnMut() -> usize + 'a>,
}

/// Nanoseconds an operation for each, the least of all slices. A contender
/// runs some slices in a row, which warms its caches; then the next one does,
/// so that what disturbs the machine for a while disturbs all of them. A slice
/// is to be shorter than what the scheduler gives at once: about a millisecond.
pub fn race(rounds: usize, contenders: &mut [Timed<'_>]) -> Vec<f64> {
    const SLICES: usize = 24;
    let mut best = vec![f64::INFINITY; contenders.len()];
    for _ in 0..rounds {
        for (contender, best) in contenders.iter_mut().zip(&mut best) {
            for _ in 0..SLICES {
                let begun = Instant::now();
                let operations = black_box((contender.run)());
                *best = best.min(begun.elapsed().as_nanos() as f64 / operations as f64);
            }
        }
    }
    best
}

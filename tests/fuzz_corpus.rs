//! The fuzz targets over their recorded corpus: what a fuzzer found once is a
//! test from then on. Then a short walk around it, the same in every run;
//! `TWAT_FUZZ_ROUNDS` makes it longer, `make fuzz` looks with a guide.
#![expect(unsafe_code, reason = "the targets call the C ABI")]

#[path = "../fuzz/calls.rs"]
mod calls;
#[path = "../fuzz/config.rs"]
mod config;
#[path = "../fuzz/envelope.rs"]
mod envelope;

/// A generator that gives the same numbers everywhere (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}

/// One input changed in a few places: flipped, overwritten, cut, repeated.
fn changed(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            _ if bytes.is_empty() => bytes.push(random.below(256) as u8),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => bytes.truncate(at),
            3 => bytes.extend_from_slice(&other[random.below(other.len())..]),
            _ => bytes.insert(at, [0, 1, 0x7f, 0x80, 0xff][random.below(5)]),
        }
        bytes.truncate(4096);
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn walk(target: &str, inputs: &[Vec<u8>], run: fn(&[u8])) {
    let rounds = std::env::var("TWAT_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..rounds.unwrap_or(3000u64) {
        let (one, two) = (random.below(inputs.len()), random.below(inputs.len()));
        let bytes = changed(&inputs[one], &inputs[two], &mut random);
        if std::panic::catch_unwind(|| run(&bytes)).is_err() {
            panic!("{target} fails over {}", hex(&bytes));
        }
    }
}

fn replay(target: &str, run: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| run(&bytes)).is_err() {
            panic!("{} fails", path.display());
        }
        inputs.push(bytes);
    }
    assert!(inputs.len() > 5, "{}: no corpus", folder.display());
    inputs.sort();
    walk(target, &inputs, run);
}

#[test]
fn configuration_loaders_hold_over_the_corpus() {
    replay("config", config::run);
}

#[test]
fn envelope_decoder_holds_over_the_corpus() {
    replay("envelope", envelope::run);
}

#[test]
fn sequences_of_calls_hold_over_the_corpus() {
    replay("calls", calls::run);
}

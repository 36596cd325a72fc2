//! The fuzz targets over their recorded corpus: what a fuzzer found once is a
//! test from then on. `make fuzz` looks for more.
#![expect(unsafe_code, reason = "the targets call the C ABI")]

#[path = "../fuzz/calls.rs"]
mod calls;
#[path = "../fuzz/config.rs"]
mod config;
#[path = "../fuzz/envelope.rs"]
mod envelope;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| run(&bytes)).is_err() {
            panic!("{} fails", path.display());
        }
        inputs += 1;
    }
    assert!(inputs > 5, "{}: no corpus", folder.display());
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

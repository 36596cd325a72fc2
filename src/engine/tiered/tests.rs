use super::*;
use crate::engine::Listener;
use crate::engine::build;
use crate::engine::null::Null;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A last tier of one entry whose changes are told when the test says, and
/// that does something in the middle of a read.
struct Scripted {
    value: Mutex<(u64, &'static [u8])>,
    told: Arc<Mutex<VecDeque<Change<'static>>>>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

struct Ear(Arc<Mutex<VecDeque<Change<'static>>>>);

impl Listener for Ear {
    fn poll(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<()> {
        self.0.lock().unwrap().drain(..).for_each(each);
        Ok(())
    }
}

impl Engine for Arc<Scripted> {
    fn name(&self) -> &'static str {
        "scripted"
    }
    fn is_shared_by_machines(&self) -> bool {
        true
    }
    fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        Ok(self.entry(key)?.map(|entry| entry.value))
    }
    fn entry(&self, _key: &[u8]) -> Result<Option<Entry>> {
        let (sequence, value) = *self.value.lock().unwrap();
        // The answer is on its way: what happens now, it does not know.
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        let (value, tags) = (Value::copy_of(value), vec![b"tag".to_vec()]);
        Ok(Some(Entry { value, ttl: None, sequence, version: 0, tags }))
    }
    fn listen(&self) -> Result<Hearing> {
        Ok(Hearing::Listener(Box::new(Ear(self.told.clone()))))
    }
    fn put(&self, _: &[u8], _: &[u8], _: &Put<'_>) -> Result<Stored> {
        Ok(Stored::Stored)
    }
    fn delete(&self, _: &[u8]) -> Result<bool> {
        Ok(true)
    }
    fn contains(&self, _: &[u8]) -> Result<bool> {
        Ok(true)
    }
    fn touch(&self, _: &[u8], _: Option<NonZeroU64>) -> Result<bool> {
        Ok(true)
    }
    fn clear(&self) -> Result<()> {
        Ok(())
    }
    fn scan(&self, _: &[u8], state: &mut ScanState, _: &mut Vec<Vec<u8>>) -> Result<()> {
        state.done = true;
        Ok(())
    }
    fn incr(&self, _: &[u8], _: i64, _: i64, _: Option<NonZeroU64>) -> Result<i64> {
        Ok(0)
    }
    fn invalidate_tag(&self, _: &[u8]) -> Result<bool> {
        Ok(true)
    }
    fn expire(&self) -> Result<u64> {
        Ok(0)
    }
    fn stats(&self) -> Result<EngineStats> {
        Ok(EngineStats::default())
    }
}

fn tier(engine: Box<dyn Engine>) -> Tier {
    Tier::over(engine, None)
}

fn stack() -> (Arc<Tiered>, Arc<Scripted>) {
    let last = Arc::new(Scripted {
        value: Mutex::new((1, b"old")),
        told: Arc::default(),
        meanwhile: Mutex::default(),
    });
    let memory = build(&Config::new("memory").unwrap()).unwrap();
    let config = Config::new("tiered").unwrap();
    let tiers = vec![tier(memory), tier(Box::new(last.clone()))];
    (Arc::new(Tiered::over(&config, tiers).unwrap()), last)
}

/// The next look is taken, whatever the clock says.
fn look(tiered: &Tiered) {
    if let Coherence::Watched(watch) = &tiered.coherence {
        watch.look_again();
    }
    tiered.look();
}

#[test]
fn an_invalidation_between_a_miss_and_its_fill_wins() {
    for change in [Change::Key(b"key"), Change::Tag(b"tag"), Change::All] {
        let (tiered, last) = stack();
        look(&tiered);
        let (inner, scripted) = (tiered.clone(), last.clone());
        *last.meanwhile.lock().unwrap() = Some(Box::new(move || {
            *scripted.value.lock().unwrap() = (2, b"new");
            scripted.told.lock().unwrap().push_back(change);
            look(&inner);
        }));
        assert_eq!(tiered.get(b"key").unwrap().as_deref(), Some(&b"old"[..]), "read before");
        assert_eq!(tiered.get(b"key").unwrap().as_deref(), Some(&b"new"[..]), "{change:?}");
        // And where none came, the copy stays.
        assert_eq!(tiered.get(b"key").unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(tiered.first.counters.sum(Count::Hits), 1);
    }
}

#[test]
fn a_write_of_this_process_between_a_miss_and_its_fill_wins() {
    let (tiered, last) = stack();
    look(&tiered);
    let (inner, scripted) = (tiered.clone(), last.clone());
    *last.meanwhile.lock().unwrap() = Some(Box::new(move || {
        *scripted.value.lock().unwrap() = (2, b"new");
        inner.put(b"key", b"new", &Put::default()).unwrap();
    }));
    assert_eq!(tiered.get(b"key").unwrap().as_deref(), Some(&b"old"[..]), "read before");
    assert_eq!(tiered.get(b"key").unwrap().as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_stack_over_nothing_keeps_nothing() {
    let memory = build(&Config::new("memory").unwrap()).unwrap();
    let tiers = vec![tier(memory), tier(Box::new(Null))];
    let tiered = Tiered::over(&Config::new("tiered").unwrap(), tiers).unwrap();
    tiered.put(b"key", b"value", &Put::default()).unwrap();
    assert_eq!(tiered.get(b"key").unwrap(), None);
}

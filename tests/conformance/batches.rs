//! Many keys at once, exports, files.

use super::subject::Subject;
use super::{got, scanned};
use twat_cache::{SetOptions, TTL_DEFAULT};

pub fn many_at_once_is_one_by_one(subject: &Subject) {
    let cache = subject.open();
    let keys: Vec<Vec<u8>> = (0..300_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let values: Vec<Vec<u8>> = (0..300).map(|n| vec![n as u8; n * 7]).collect();
    let pairs: Vec<(&[u8], &[u8])> =
        keys.iter().zip(&values).map(|(key, value)| (&key[..], &value[..])).collect();
    cache.set_many(&pairs, &SetOptions::default()).unwrap();
    cache.set_many(&[], &SetOptions::default()).unwrap();
    let mut asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    asked.insert(150, b"missing");
    let found = cache.get_many(&asked).unwrap();
    assert_eq!(found.len(), 301);
    assert!(found[150].is_none());
    let found: Vec<_> = found.iter().flatten().map(|value| value.to_vec()).collect();
    assert!(found == values, "in their order");
    assert_eq!(cache.delete_many(&asked[100..200]).unwrap(), 99);
    assert_eq!(scanned(&cache, b"").len(), 201);
    let stats = cache.stats().unwrap();
    assert_eq!((stats.sets, stats.hits, stats.misses, stats.deletes), (300, 300, 1, 99));
}

pub fn delete_prefix_takes_what_begins_so_and_nothing_else(subject: &Subject) {
    let cache = subject.open();
    for n in 0..1000_u32 {
        let mut key = if n % 2 == 0 { b"even/".to_vec() } else { b"odd/".to_vec() };
        key.extend(vec![b'-'; if n % 40 == 0 { 700 } else { 0 }]);
        key.extend(n.to_be_bytes());
        cache.set(&key, b"value", TTL_DEFAULT).unwrap();
    }
    cache.set(b"even", b"value", TTL_DEFAULT).unwrap();
    assert_eq!(cache.delete_prefix(b"even/").unwrap(), 500);
    assert_eq!(cache.delete_prefix(b"even/").unwrap(), 0);
    assert!(got(&cache, b"even").is_some());
    assert_eq!(scanned(&cache, b"").len(), 501);
    assert_eq!(cache.delete_prefix(b"").unwrap(), 501);
    assert_eq!(cache.stats().unwrap().deletes, 1001);
}

pub fn an_export_holds_all_and_an_import_brings_it_back(subject: &Subject) {
    let time = subject.time();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export");
    let cache = subject.open();
    let tagged = SetOptions { tags: &[b"tag"], ..SetOptions::default() };
    for n in 0..100_u32 {
        cache.set(&n.to_be_bytes(), &vec![n as u8; n as usize * 500], TTL_DEFAULT).unwrap();
    }
    cache.set(b"ends", b"value", 50_000).unwrap();
    cache.set_with(b"tagged", b"value", &tagged).unwrap();
    assert_eq!(cache.export(&path).unwrap(), 102);
    cache.close();

    let cache = subject.open();
    assert_eq!(cache.import(&path).unwrap(), 102);
    for n in 0..100_u32 {
        assert!(got(&cache, &n.to_be_bytes()) == Some(vec![n as u8; n as usize * 500]));
    }
    assert!(got(&cache, b"ends").is_some() && got(&cache, b"tagged").is_some());
    cache.invalidate_tag(b"tag").unwrap();
    time.pass(51_000);
    assert_eq!(got(&cache, b"ends"), None, "its time goes on");
    assert_eq!(got(&cache, b"tagged"), None, "its tags came along");
}

pub fn a_file_is_stored_as_its_content(subject: &Subject) {
    let cache = subject.open();
    let folder = tempfile::tempdir().unwrap();
    for len in [0, 100, 300_000] {
        let path = folder.path().join("file");
        let content: Vec<u8> = (0..len).map(|n: u32| (n % 253) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        cache.set_file(b"key", &path, &SetOptions::default()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(got(&cache, b"key") == Some(content), "{len} bytes");
    }
    let missing = folder.path().join("missing");
    assert!(cache.set_file(b"key", &missing, &SetOptions::default()).is_err());
    assert_eq!(got(&cache, b"key").unwrap().len(), 300_000, "it stays");
}

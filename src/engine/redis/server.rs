//! The server as one thing: a single process, or a cluster of them.

use super::address::{Address, Target};
use super::call;
use super::node::{Lease, Node, Settings};
use super::resp::Value;
use super::words::{down, refused};
use crate::base::error::{Code, Error, Result};
use redis::Cmd;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Commands sent at once at the most.
const PIPELINE: usize = 512;
/// Bytes of commands sent at once, after which no further one is added.
const PIPELINE_BYTES: usize = 1 << 20;
/// How often a command follows a slot that moves.
const REDIRECTS: usize = 5;
const SLOTS: u16 = 16384;
const NO_CLUSTER: &str = "expected a cluster node (url says redis+cluster://), found a server \
    without cluster support; its url is redis://";

/// A command and the slot of its key.
pub struct Request {
    pub command: Cmd,
    slot: u16,
    bytes: usize,
}

/// Which node serves which slots, sorted.
type SlotMap = Vec<(u16, u16, Arc<Node>)>;

/// All processes of a target.
pub struct Server {
    target: Target,
    settings: Settings,
    nodes: RwLock<HashMap<Address, Arc<Node>>>,
    slots: RwLock<Arc<SlotMap>>,
    stale: AtomicBool,
}

impl Server {
    /// A server to which nothing is connected yet.
    pub fn new(target: Target, settings: Settings) -> Self {
        let this = Self {
            target,
            settings,
            nodes: RwLock::default(),
            slots: RwLock::default(),
            stale: AtomicBool::new(true),
        };
        if !this.target.cluster {
            let node = this.node(this.target.seeds[0].clone());
            let slots = Arc::new(vec![(0, SLOTS - 1, node)]);
            *this.slots.write().unwrap_or_else(PoisonError::into_inner) = slots;
            this.stale.store(false, Ordering::Release);
        }
        this
    }

    /// Whether it is a cluster.
    pub fn is_cluster(&self) -> bool {
        self.target.cluster
    }

    /// A command on one key.
    pub fn on(&self, key: &[u8], command: Cmd) -> Request {
        let slot = if self.target.cluster { slot_of(key) } else { 0 };
        let bytes = command.args_iter().map(|arg| match arg {
            redis::Arg::Simple(arg) => arg.len() + 16,
            _ => 16,
        });
        Request { slot, bytes: bytes.sum(), command }
    }

    fn node(&self, address: Address) -> Arc<Node> {
        let known =
            self.nodes.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned();
        known.unwrap_or_else(|| {
            let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
            let node = nodes
                .entry(address.clone())
                .or_insert_with(|| Arc::new(Node::new(address, self.settings.clone())));
            node.clone()
        })
    }

    /// The processes that hold keys, each once.
    pub fn masters(&self) -> Result<Vec<Arc<Node>>> {
        let mut masters: Vec<Arc<Node>> = Vec::new();
        for (_, _, node) in self.slots()?.iter() {
            if !masters.iter().any(|known| Arc::ptr_eq(known, node)) {
                masters.push(node.clone());
            }
        }
        Ok(masters)
    }

    /// Runs commands, pipelined, and returns their answers in their order.
    /// Each pipeline has the time-out of one call.
    pub fn run(&self, requests: &[Request]) -> Result<Vec<Value>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut rest = requests;
        while !rest.is_empty() {
            let mut bytes = 0;
            let n = rest.iter().take(PIPELINE).take_while(|request| {
                let fits = bytes < PIPELINE_BYTES;
                bytes += request.bytes;
                fits
            });
            let (now, later) = rest.split_at(n.count());
            answers.extend(self.pipeline(now)?);
            rest = later;
        }
        Ok(answers)
    }

    /// Runs one command.
    pub fn one(&self, request: Request) -> Result<Value> {
        let answers = self.pipeline(std::slice::from_ref(&request))?;
        Ok(answers.into_iter().next().unwrap_or(Value::Nil))
    }

    fn pipeline(&self, requests: &[Request]) -> Result<Vec<Value>> {
        let slots = self.slots()?;
        if !self.target.cluster {
            let commands: Vec<&Cmd> = requests.iter().map(|request| &request.command).collect();
            return slots[0].2.request(&commands);
        }
        let answers = self.scatter(&slots, requests);
        if answers.is_err() {
            // The node may have been replaced by another.
            self.stale.store(true, Ordering::Release);
        }
        let mut answers = answers?;
        for (request, answer) in requests.iter().zip(&mut answers) {
            if matches!(answer, Value::ServerError(_)) {
                let asked = self.serving(&slots, request.slot)?.clone();
                self.follow(request, asked, answer)?;
            }
        }
        Ok(answers)
    }

    fn serving<'map>(&self, slots: &'map SlotMap, slot: u16) -> Result<&'map Arc<Node>> {
        let at = slots.partition_point(|(_, last, _)| *last < slot);
        let found = slots.get(at).filter(|(first, ..)| *first <= slot);
        found.map(|(_, _, node)| node).ok_or_else(|| self.uncovered(slot))
    }

    /// Sends to all nodes first, so that they work at the same time.
    fn scatter(&self, slots: &SlotMap, requests: &[Request]) -> Result<Vec<Value>> {
        let mut groups: Vec<(&Arc<Node>, Vec<usize>)> = Vec::new();
        for (i, request) in requests.iter().enumerate() {
            let node = self.serving(slots, request.slot)?;
            // Leases are taken in one order by all callers, or two could wait for
            // each other's.
            match groups.binary_search_by_key(&Arc::as_ptr(node), |(known, _)| Arc::as_ptr(known)) {
                Ok(at) => groups[at].1.push(i),
                Err(at) => groups.insert(at, (node, vec![i])),
            }
        }
        let mut leases = Vec::with_capacity(groups.len());
        for (node, _) in &groups {
            leases.push(node.lease()?);
        }
        let (began, deadline) = (Instant::now(), call::end(self.settings.timeout));
        let mut sent: Vec<(Lease<'_>, Vec<usize>)> = Vec::with_capacity(groups.len());
        for (mut lease, (_, members)) in leases.into_iter().zip(groups) {
            let commands: Vec<&Cmd> = members.iter().map(|i| &requests[*i].command).collect();
            match lease.send(&commands, deadline) {
                Ok(()) => sent.push((lease, members)),
                Err(error) => return lease.finish(Err(error)),
            }
        }
        let mut answers = vec![Value::Nil; requests.len()];
        for (mut lease, members) in sent {
            let received = lease.receive(members.len(), deadline);
            for (i, answer) in members.iter().zip(lease.finish(received)?) {
                answers[*i] = answer;
            }
        }
        call::spend(began);
        Ok(answers)
    }

    /// Follows `MOVED` and `ASK` from the node that was asked until one answers.
    fn follow(&self, request: &Request, mut asked: Arc<Node>, answer: &mut Value) -> Result<()> {
        for _ in 0..REDIRECTS {
            let Value::ServerError(error) = &*answer else { return Ok(()) };
            let (code, detail) = (error.code(), error.detail());
            let asking = match code {
                "ASK" => true,
                "MOVED" => {
                    self.stale.store(true, Ordering::Release);
                    false
                }
                "READONLY" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => {
                    self.stale.store(true, Ordering::Release);
                    return Ok(());
                }
                _ => return Ok(()),
            };
            let Some(address) = redirect(detail, &asked.address) else { return Ok(()) };
            let ask = redis::cmd("ASKING");
            let commands = [&ask, &request.command];
            asked = self.node(address);
            let answers = asked.request(&commands[usize::from(!asking)..])?;
            *answer = answers.into_iter().next_back().unwrap_or(Value::Nil);
        }
        match answer {
            Value::ServerError(error) if ["MOVED", "ASK"].contains(&error.code()) => {
                let reason = "the slot of the key moves from node to node; try again";
                Err(down(&asked.address, reason))
            }
            _ => Ok(()),
        }
    }

    fn slots(&self) -> Result<Arc<SlotMap>> {
        let known = self.slots.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !self.stale.load(Ordering::Acquire) {
            return Ok(known);
        }
        match self.ask_slots(&known) {
            Ok(fresh) => {
                let fresh = Arc::new(fresh);
                *self.slots.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
                self.stale.store(false, Ordering::Release);
                self.forget_others(&fresh);
                Ok(fresh)
            }
            Err(error) => Err(error),
        }
    }

    /// Closes what rests towards nodes that serve no slot any more: replicas that
    /// were masters, and the addresses of containers that are gone.
    fn forget_others(&self, map: &SlotMap) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let (kept, others) =
            std::mem::take(&mut *nodes).into_iter().partition(|(address, node)| {
                // A seed that failed is remembered, to be asked last.
                (self.target.seeds.contains(address) && node.trouble().is_some())
                    || map.iter().any(|(_, _, serving)| Arc::ptr_eq(serving, node))
            });
        *nodes = kept;
        drop(nodes);
        // Without the lock: the last owner closes connections.
        drop::<HashMap<_, _>>(others);
    }

    /// Asks one node after another for the map, until one answers or the time
    /// of a call is over.
    fn ask_slots(&self, known: &SlotMap) -> Result<SlotMap> {
        let end = Instant::now() + self.settings.connect_timeout.max(Duration::from_millis(1));
        let mut candidates: Vec<Arc<Node>> =
            known.iter().map(|(_, _, node)| node.clone()).collect();
        candidates.extend(self.target.seeds.iter().map(|seed| self.node(seed.clone())));
        // One that failed may take all the time again: the others are asked before it.
        candidates.sort_by_key(|node| node.trouble().is_some());
        let mut why = None;
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        for node in candidates {
            if why.is_some() && Instant::now() >= end {
                break;
            }
            match node.request(&[&command]) {
                Ok(answers) => match answers.into_iter().next() {
                    Some(Value::Array(rows)) => {
                        let map = self.slot_map(&rows, &node.address);
                        if !map.is_empty() {
                            return Ok(map);
                        }
                        why = Some(self.uncovered(0));
                    }
                    Some(Value::ServerError(error)) => {
                        why = Some(match error.code() {
                            "ERR" => down(&node.address, NO_CLUSTER),
                            _ => refused(&error),
                        });
                    }
                    _ => why = Some(self.uncovered(0)),
                },
                Err(error) => why = Some(error),
            }
        }
        Err(why.unwrap_or_else(|| self.uncovered(0)))
    }

    fn uncovered(&self, slot: u16) -> Error {
        let text = format!("redis cluster at {}: no node serves slot {slot}", self.target.shown());
        Error::new(Code::Unavailable, text)
    }

    fn slot_map(&self, rows: &[Value], asked: &Address) -> SlotMap {
        let mut map = SlotMap::new();
        for row in rows.iter().filter_map(|row| self.slot_row(row, asked)) {
            // Servers list them in order, or nearly.
            let at = map.partition_point(|(first, ..)| *first < row.0);
            map.insert(at, row);
        }
        map
    }

    /// `[first, last, [host, port, …], replicas…]`
    fn slot_row(&self, row: &Value, asked: &Address) -> Option<(u16, u16, Arc<Node>)> {
        let Value::Array(row) = row else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = &row[..] else {
            return None;
        };
        let [host, Value::Int(port), ..] = &master[..] else { return None };
        let host = match host {
            Value::BulkString(host) => std::str::from_utf8(host).ok()?,
            _ => "",
        };
        let host = host_beside(host, asked);
        let port = u16::try_from(*port).ok().filter(|port| *port != 0)?;
        let address = Address::Tcp(host, port);
        Some((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, self.node(address)))
    }
}

/// The host that a node names; where it knows none (an empty text, or `?` where
/// it is to name itself by a host name and has none), the one it was reached by.
fn host_beside(named: &str, asked: &Address) -> String {
    match asked {
        _ if !["", "?"].contains(&named) => named.to_owned(),
        Address::Tcp(host, _) => host.clone(),
        Address::Unix(_) => "127.0.0.1".to_owned(),
    }
}

/// `3999 127.0.0.1:6381`, or `3999 :6381` for the host of the node that was asked.
fn redirect(detail: &str, asked: &Address) -> Option<Address> {
    let (host, port) = detail.split_whitespace().nth(1)?.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(Address::Tcp(host_beside(host, asked), port.parse().ok()?))
}

/// The slot of a key: CRC16 of what stands between the first `{` and the next
/// `}`, of the whole key where there is nothing.
fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|b| *b == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|b| *b == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(slot_of(b"123456789"), 0x31C3);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"{user1000}.followers"));
        assert_eq!(
            slot_of(b"foo{}{bar}"),
            crc16::State::<crc16::XMODEM>::calculate(b"foo{}{bar}") % SLOTS
        );
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
    }

    #[test]
    fn a_redirection_without_a_host_stays_on_the_host_that_was_asked() {
        let asked = Address::Tcp("cache.example".into(), 7000);
        let to = |detail| redirect(detail, &asked);
        assert_eq!(to("3999 10.0.0.1:6381"), Some(Address::Tcp("10.0.0.1".into(), 6381)));
        assert_eq!(to("3999 [::1]:6381"), Some(Address::Tcp("::1".into(), 6381)));
        assert_eq!(to("3999 ::1:6381"), Some(Address::Tcp("::1".into(), 6381)));
        assert_eq!(to("3999 :6381"), Some(Address::Tcp("cache.example".into(), 6381)));
        assert_eq!(to("3999 ?:6381"), Some(Address::Tcp("cache.example".into(), 6381)));
        assert_eq!(to("3999"), None);
        assert_eq!(to("3999 host:port"), None);
    }
}

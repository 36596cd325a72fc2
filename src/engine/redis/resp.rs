//! Answers of the server: where one ends in a stream of them, and what it says.
//! The redis crate's parser reads ahead of an answer's end, which would lose
//! the messages of the server that follow it, so the end is found first; and
//! with the end known, decoding is less than what that parser brings along.

/// The end of the first answer in a buffer that grows; remembers how far it
/// has looked.
#[derive(Default)]
pub struct Frame {
    at: usize,
    /// Values still to come, besides the one that is being looked at.
    pending: u64,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// An answer ends here.
    End(usize),
    /// More bytes are needed; so many in all, as far as it can be told.
    More(usize),
    /// This is not the redis protocol.
    Nonsense,
}

/// The longest line of a length, an integer or a simple text.
const MAX_LINE: usize = 64 * 1024;
/// The longest bulk text: what a server accepts at the most by default.
const MAX_BULK: u64 = 512 << 20;
/// More elements than any answer of ours has.
const MAX_ITEMS: u64 = 1 << 24;

impl Frame {
    /// Looks at the buffer, which begins with the same bytes as before.
    pub fn look(&mut self, buffer: &[u8]) -> Found {
        loop {
            let rest = &buffer[self.at.min(buffer.len())..];
            let Some(line) = line(rest) else {
                let told = rest.first().is_some_and(|kind| !b"+-:$*_#,(=~%>!|".contains(kind));
                let nonsense = told || rest.len() > MAX_LINE;
                return if nonsense { Found::Nonsense } else { Found::More(buffer.len() + 1) };
            };
            let (kind, text) = (line[0], &line[1..]);
            let mut next = self.at + line.len() + 2;
            let mut items = 0;
            match kind {
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
                b'$' | b'=' | b'!' => match number(text, MAX_BULK) {
                    Some(Some(length)) => {
                        next += length as usize + 2;
                        if next > buffer.len() {
                            return Found::More(next);
                        }
                    }
                    Some(None) => {}
                    None => return Found::Nonsense,
                },
                b'*' | b'~' | b'>' => match number(text, MAX_ITEMS) {
                    Some(count) => items = count.unwrap_or(0),
                    None => return Found::Nonsense,
                },
                // An attribute stands before the value it describes.
                b'%' | b'|' => match number(text, MAX_ITEMS) {
                    Some(count) => items = 2 * count.unwrap_or(0) + u64::from(kind == b'|'),
                    None => return Found::Nonsense,
                },
                _ => return Found::Nonsense,
            }
            self.at = next;
            self.pending += items;
            if self.pending == 0 {
                return Found::End(next);
            }
            self.pending -= 1;
        }
    }
}

/// The first line with its kind, without its end.
fn line(buffer: &[u8]) -> Option<&[u8]> {
    let end = buffer.iter().position(|b| *b == b'\r')?;
    (end > 0 && buffer.get(end + 1) == Some(&b'\n')).then(|| &buffer[..end])
}

/// A length; `-1` is the null of RESP2.
#[expect(clippy::option_option, reason = "wrong, null, or a number")]
fn number(text: &[u8], max: u64) -> Option<Option<u64>> {
    if text == b"-1" {
        return Some(None);
    }
    let digits =
        std::str::from_utf8(text).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|n| *n <= max).map(Some)
}

/// An answer, in the kinds that make a difference here.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Okay,
    Int(i64),
    SimpleString(String),
    BulkString(Vec<u8>),
    /// Lists, and what RESP3 has beside them: sets, and maps as key, value, ….
    Array(Vec<Value>),
    /// A message that answers nothing.
    Push(Vec<Value>),
    ServerError(Refusal),
    /// Truth values, floats and large numbers, which no command of ours returns.
    Other,
}

/// An error that the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    text: String,
    /// Which server answered it.
    pub at: Option<String>,
}

impl Refusal {
    /// An error of any server.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), at: None }
    }

    /// The first word: `MOVED`, `WRONGTYPE`, ….
    pub fn code(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The text after it.
    pub fn detail(&self) -> &str {
        self.text.split_once(' ').map_or("", |(_, detail)| detail)
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The code; for a command within a script, which servers before 7.0 answer
    /// as `ERR Error running script (…): … -OOM …`, the code of that.
    pub fn cause(&self) -> &str {
        let code = self.code();
        if code != "ERR" || !self.detail().starts_with("Error running script") {
            return code;
        }
        let inner = self.text.split(' ').filter_map(|word| word.strip_prefix('-'));
        let is_code = |word: &&str| word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase());
        inner.filter(is_code).find(|word| *word != "ERR").unwrap_or(code)
    }
}

/// Values within values; those of ours have three.
const MAX_DEPTH: usize = 16;

/// Reads one whole answer, as [`Frame`] found it. `None` is not the protocol.
pub fn decode(answer: &[u8]) -> Option<Value> {
    let mut rest = answer;
    let value = take(&mut rest, MAX_DEPTH)?;
    rest.is_empty().then_some(value)
}

fn take(rest: &mut &[u8], depth: usize) -> Option<Value> {
    let first = line(rest)?;
    let (kind, text) = (first[0], &first[1..]);
    *rest = &rest[first.len() + 2..];
    let lossy = |text| String::from_utf8_lossy(text).into_owned();
    Some(match kind {
        b'+' if text == b"OK" => Value::Okay,
        b'+' => Value::SimpleString(lossy(text)),
        b'-' => Value::ServerError(Refusal::new(lossy(text))),
        b':' => Value::Int(std::str::from_utf8(text).ok()?.parse().ok()?),
        b'$' | b'=' | b'!' => match (number(text, MAX_BULK)?, kind) {
            (None, _) => Value::Nil,
            (Some(length), kind) => {
                let bytes = rest.get(..length as usize)?;
                *rest = rest.get(bytes.len()..)?.strip_prefix(b"\r\n")?;
                match kind {
                    b'!' => Value::ServerError(Refusal::new(lossy(bytes))),
                    // "txt:" says how a text is to be shown.
                    b'=' => Value::BulkString(bytes.get(4..)?.to_vec()),
                    _ => Value::BulkString(bytes.to_vec()),
                }
            }
        },
        b'*' | b'~' | b'%' | b'>' => match number(text, MAX_ITEMS)? {
            None => Value::Nil,
            Some(count) => {
                let items = list(rest, count << u8::from(kind == b'%'), depth)?;
                if kind == b'>' { Value::Push(items) } else { Value::Array(items) }
            }
        },
        b'|' => {
            list(rest, 2 * number(text, MAX_ITEMS)??, depth)?;
            take(rest, depth.checked_sub(1)?)?
        }
        b'_' => Value::Nil,
        b'#' | b',' | b'(' => Value::Other,
        _ => return None,
    })
}

fn list(rest: &mut &[u8], count: u64, depth: usize) -> Option<Vec<Value>> {
    let depth = depth.checked_sub(1)?;
    // Each takes three bytes at the least: what is claimed is no reason to allocate.
    let mut items = Vec::with_capacity((count as usize).min(rest.len() / 3));
    for _ in 0..count {
        items.push(take(rest, depth)?);
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_the_next_begins_however_it_arrives() {
        for answer in [
            &b"+OK\r\n"[..],
            b"-ERR no\r\n",
            b":-12\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"_\r\n",
            b"$0\r\n\r\n",
            b"$6\r\na\r\nb$1\r\n",
            b"*0\r\n",
            b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
            b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
            b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n+c\r\n",
            b"|1\r\n+ttl\r\n:1\r\n*1\r\n:2\r\n",
            b"=5\r\ntxt:x\r\n",
        ] {
            let mut whole = answer.to_vec();
            whole.extend_from_slice(b"+NEXT\r\n");
            assert_eq!(Frame::default().look(&whole), Found::End(answer.len()));
            assert!(decode(answer).is_some(), "{}", answer.escape_ascii());
            let mut frame = Frame::default();
            for n in 0..answer.len() {
                assert!(matches!(frame.look(&answer[..n]), Found::More(need) if need > n));
            }
            assert_eq!(frame.look(&whole), Found::End(answer.len()));
        }
    }

    #[test]
    fn what_is_not_redis_is_told_at_once() {
        for nonsense in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"SSH-2.0",
            b"\x16\x03\x01",
            b"$x\r\n",
            b"$99999999999\r\n",
            b"\r\n",
        ] {
            assert_eq!(Frame::default().look(nonsense), Found::Nonsense);
        }
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn an_answer_is_read_as_what_it_is() {
        let error = |text: &str| Value::ServerError(Refusal::new(text));
        for (answer, value) in [
            (&b"+OK\r\n"[..], Value::Okay),
            (b"+PONG\r\n", Value::SimpleString("PONG".into())),
            (b":-12\r\n", Value::Int(-12)),
            (b"$-1\r\n", Value::Nil),
            (b"*-1\r\n", Value::Nil),
            (b"_\r\n", Value::Nil),
            (b"$0\r\n\r\n", bulk("")),
            (b"$4\r\na\r\nb\r\n", bulk("a\r\nb")),
            (b"=5\r\ntxt:x\r\n", bulk("x")),
            (b"-MOVED 1 h:2\r\n", error("MOVED 1 h:2")),
            (b"!5\r\nERR x\r\n", error("ERR x")),
            (
                b"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n",
                Value::Array(vec![Value::Array(vec![Value::Int(1)]), bulk("x")]),
            ),
            (b"%1\r\n$1\r\na\r\n:1\r\n", Value::Array(vec![bulk("a"), Value::Int(1)])),
            (b"~1\r\n#t\r\n", Value::Array(vec![Value::Other])),
            (b">1\r\n$1\r\nk\r\n", Value::Push(vec![bulk("k")])),
            (b"|1\r\n+ttl\r\n:1\r\n*1\r\n:2\r\n", Value::Array(vec![Value::Int(2)])),
        ] {
            assert_eq!(decode(answer), Some(value), "{}", answer.escape_ascii());
        }
        let Some(Value::ServerError(moved)) = decode(b"-MOVED 1 h:2\r\n") else { panic!() };
        assert_eq!((moved.code(), moved.detail()), ("MOVED", "1 h:2"));
    }

    #[test]
    fn what_lies_about_its_size_or_goes_too_deep_is_refused() {
        let deep = [&b"*1\r\n".repeat(100_000)[..], b":1\r\n"].concat();
        assert!(matches!(Frame::default().look(&deep), Found::End(n) if n == deep.len()));
        for wrong in [
            &deep[..],
            b":1x\r\n",
            b"$3\r\nabcd\r\n",
            b"*2\r\n:1\r\n",
            b"=2\r\nab\r\n",
            b":1\r\n:2\r\n",
            b"",
        ] {
            assert_eq!(decode(wrong), None, "{}", wrong[..wrong.len().min(20)].escape_ascii());
        }
    }

    /// The redis crate's parser, where it tells the same kinds apart.
    #[test]
    fn the_redis_crate_reads_the_same() {
        fn theirs(value: redis::Value) -> Value {
            match value {
                redis::Value::Nil => Value::Nil,
                redis::Value::Okay => Value::Okay,
                redis::Value::Int(n) => Value::Int(n),
                redis::Value::SimpleString(text) => Value::SimpleString(text),
                redis::Value::BulkString(bytes) => Value::BulkString(bytes),
                redis::Value::Array(items) => Value::Array(items.into_iter().map(theirs).collect()),
                _ => Value::Other,
            }
        }
        for answer in [
            &b"*3\r\n$1\r\n0\r\n*2\r\n$2\r\nk1\r\n$2\r\nk2\r\n:7\r\n"[..],
            b"*2\r\n+OK\r\n+QUEUED\r\n",
            b"*2\r\n*-1\r\n$-1\r\n",
            b"#t\r\n",
            b",1.5\r\n",
        ] {
            let crates = redis::parse_redis_value(answer).expect("the crate reads it");
            assert_eq!(decode(answer), Some(theirs(crates)), "{}", answer.escape_ascii());
        }
    }
}

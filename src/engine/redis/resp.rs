//! Where one answer ends in a stream of them. Decoding is the redis crate's;
//! it reads ahead of an answer's end, which would lose the messages of the
//! server that follow it, so this finds the end first.

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
            redis::parse_redis_value(answer).expect("the crate reads the same");
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
}

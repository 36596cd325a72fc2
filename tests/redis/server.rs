//! Real redis servers of one's own: on free ports of 127.0.0.1, stopped at the
//! end, nothing left behind.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const INSTALL: &str = "these tests need redis-server and redis-cli: \
    'apt-get install redis-server' (Debian, Ubuntu), 'dnf install redis' (Fedora), \
    'brew install redis' (macOS); tests/run-redis.sh installs it where it may";

/// A running server.
pub struct Server {
    pub port: u16,
    pub directory: TempDir,
    arguments: Vec<String>,
    process: Child,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its number").port()
}

fn spawn(port: u16, directory: &Path, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "no", "--daemonize", "no", "--enable-debug-command", "yes"])
        .args(["--dir", directory.to_str().expect("a plain path")])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server: {error}; {INSTALL}"))
}

fn comes_up(process: &mut Child, port: u16) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        match who_answers(port, process.id()) {
            Some(pid) if pid == process.id() => return true,
            // Another one was given the port at the same time.
            Some(_) => return false,
            None => {}
        }
        if process.try_wait().is_ok_and(|status| status.is_some()) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// The process that listens on a port, which need not be the one started: the
/// system's tables tell it of servers with passwords and TLS too. Where there
/// are none it is believed.
fn who_answers(port: u16, started: u32) -> Option<u32> {
    TcpStream::connect(("127.0.0.1", port)).ok()?;
    let Ok(table) = std::fs::read_to_string("/proc/net/tcp") else { return Some(started) };
    // sl, local address, remote address, state (0A: listens), ..., inode
    let inode = table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields[1] == format!("0100007F:{port:04X}") && fields[3] == "0A";
        is_it.then(|| format!("socket:[{}]", fields[9]))
    })?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid: &u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files
            .filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|link| link.to_str() == Some(&inode))
    })
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with further arguments; it answers when this returns.
    pub fn with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        // Another process may take a free port before the server does.
        let (port, process) = (0..10)
            .find_map(|_| {
                let port = free_port();
                let mut process = spawn(port, directory.path(), &arguments);
                if comes_up(&mut process, port) {
                    return Some((port, process));
                }
                let _ = process.kill();
                let _ = process.wait();
                None
            })
            .expect("redis-server does not start");
        // It makes its socket file after it listens on its port.
        let sockets = arguments.windows(2).filter(|pair| pair[0] == "--unixsocket");
        for path in sockets.map(|pair| directory.path().join(&pair[1])) {
            let end = Instant::now() + Duration::from_secs(20);
            while !path.exists() {
                assert!(Instant::now() < end, "no socket file {}", path.display());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Self { port, directory, arguments, process }
    }

    /// A server for a static, which is never dropped.
    pub fn ending_with_its_parent() -> Self {
        Self::with_ending_with_its_parent(&[])
    }

    pub fn with_ending_with_its_parent(arguments: &[&str]) -> Self {
        let server = Self::with(arguments);
        // Holds its standard input open for as long as this process lives.
        let script = format!("cat >/dev/null; kill -9 {}", server.pid());
        let mut watch = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh");
        std::mem::forget(watch.stdin.take());
        // It ends after this process, and is nobody's to wait for.
        std::mem::forget(watch);
        server
    }

    /// Lets time pass for all that expires: the server has no clock to shift,
    /// but each entry's time can be shortened.
    pub fn pass(&self, ms: u64) {
        let script = "for _,k in ipairs(redis.call('KEYS','*')) do \
            local t=redis.call('PTTL',k) if t>=0 then redis.call('PEXPIRE',k,t-ARGV[1]) end end";
        let answer = self.command(&[b"EVAL", script.as_bytes(), b"0", ms.to_string().as_bytes()]);
        assert_eq!(answer, b"$-1\r\n", "{}", String::from_utf8_lossy(&answer));
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn pid(&self) -> i32 {
        self.process.id() as i32
    }

    /// `kill -9`: what it held is lost.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts again on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            self.process = spawn(self.port, self.directory.path(), &self.arguments);
            if comes_up(&mut self.process, self.port) {
                return;
            }
        }
        panic!("redis-server does not start again");
    }

    pub fn stop(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub fn go_on(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        // SAFETY: a signal to a child that was not waited for.
        assert_eq!(unsafe { libc::kill(self.pid(), signal) }, 0);
    }

    /// Says something in the inline form and returns the raw answer.
    pub fn say(&self, command: &str) -> String {
        let mut to = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        to.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).expect("say");
        let mut answer = Vec::new();
        to.read_to_end(&mut answer).expect("answer");
        let text = String::from_utf8_lossy(&answer).into_owned();
        text.strip_suffix("+OK\r\n").map(str::to_owned).unwrap_or(text)
    }

    /// Runs one command of any bytes.
    pub fn command(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut packed = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            packed.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            packed.extend_from_slice(part);
            packed.extend_from_slice(b"\r\n");
        }
        packed.extend_from_slice(b"*1\r\n$4\r\nQUIT\r\n");
        let mut to = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        to.write_all(&packed).expect("say");
        let mut answer = Vec::new();
        to.read_to_end(&mut answer).expect("answer");
        answer.truncate(answer.len().saturating_sub(5));
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

//! What the machine itself takes for a broker's work: frames from a socket, checksummed and appended to a file, and that
//! file sent over a socket. One thread each way; its CPU time is the kernel's accounting of that thread.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::Outcome;

#[derive(Args)]
pub struct Bare {
    #[arg(long, default_value_t = 1 << 30)]
    bytes: u64,
    /// Bytes of a frame, and of a range that is sent.
    #[arg(long, default_value_t = 1_000_000)]
    frame: usize,
    /// Sync the file after each frame.
    #[arg(long)]
    sync: bool,
    /// What is appended to and sent; it is removed at the end.
    #[arg(long)]
    file: PathBuf,
}

/// Bytes moved, the seconds it took, and seconds of the thread on a CPU.
struct Moved {
    bytes: u64,
    seconds: f64,
    cpu_seconds: f64,
}

pub fn bare(options: &Bare) -> Outcome {
    let appended = receive_and_append(options);
    let sent = appended.and_then(|appended| Ok((appended, send(options)?)));
    let removed = std::fs::remove_file(&options.file);
    let (appended, sent) = sent?;
    removed?;
    let of = |moved: &Moved| {
        json!({
            "bytes": moved.bytes, "seconds": moved.seconds, "mb_per_s": moved.bytes as f64 / 1e6 / moved.seconds,
            "cpu_s_per_gib": moved.cpu_seconds / (moved.bytes as f64 / f64::from(1 << 30)),
        })
    };
    println!("{}", json!({"append": of(&appended), "send": of(&sent)}));
    Ok(())
}

fn on_cpu() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanos as f64 / 1e9)
}

fn timed(work: impl FnOnce() -> Outcome<u64>) -> Outcome<Moved> {
    let (started, cpu) = (Instant::now(), on_cpu()?);
    let bytes = work()?;
    Ok(Moved { bytes, seconds: started.elapsed().as_secs_f64(), cpu_seconds: on_cpu()? - cpu })
}

fn receive_and_append(options: &Bare) -> Outcome<Moved> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let (frame, bytes) = (options.frame, options.bytes);
    let sender = thread::spawn(move || -> std::io::Result<()> {
        let mut stream = TcpStream::connect(to)?;
        let payload: Vec<u8> = (0..frame).map(|at| at.to_le_bytes()[0]).collect();
        let length = u32::try_from(frame).unwrap_or(u32::MAX).to_be_bytes();
        let mut sent = 0;
        while sent < bytes {
            stream.write_all(&length)?;
            stream.write_all(&payload)?;
            sent += frame as u64;
        }
        Ok(())
    });
    let (mut stream, _) = listener.accept()?;
    let moved = timed(|| {
        let mut file = File::create(&options.file)?;
        let (mut length, mut frame, mut taken, mut checks) = ([0; 4], Vec::new(), 0, 0u32);
        while taken < bytes {
            stream.read_exact(&mut length)?;
            frame.resize(usize::try_from(u32::from_be_bytes(length))?, 0);
            stream.read_exact(&mut frame)?;
            checks ^= crc32c::crc32c(&frame);
            file.write_all(&frame)?;
            if options.sync {
                file.sync_data()?;
            }
            taken += frame.len() as u64;
        }
        std::hint::black_box(checks);
        Ok(taken)
    })?;
    sender.join().map_err(|_| "the sender panicked")??;
    Ok(moved)
}

fn send(options: &Bare) -> Outcome<Moved> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let receiver = thread::spawn(move || -> std::io::Result<u64> {
        let mut stream = TcpStream::connect(to)?;
        let (mut room, mut taken) = (vec![0; 1 << 20], 0);
        loop {
            match stream.read(&mut room)? {
                0 => return Ok(taken),
                some => taken += some as u64,
            }
        }
    });
    let (mut stream, _) = listener.accept()?;
    let moved = timed(|| {
        let mut file = File::open(&options.file)?;
        let mut sent = 0;
        loop {
            // The standard library sends a file to a socket by `sendfile`.
            match std::io::copy(&mut (&mut file).take(options.frame as u64), &mut stream)? {
                0 => return Ok(sent),
                some => sent += some,
            }
        }
    })?;
    drop(stream);
    let taken = receiver.join().map_err(|_| "the receiver panicked")??;
    if taken == moved.bytes { Ok(moved) } else { Err(format!("{} bytes sent, {taken} came", moved.bytes).into()) }
}

//! What the kernel says of another process.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;

/// Memory of a process, bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// VmRSS: resident now.
    pub rss: u64,
    /// VmHWM: the most that was resident since the start or [`reset_peak`].
    pub peak: u64,
}

/// The memory of process `pid`.
///
/// # Errors
///
/// When there is no such process.
pub fn memory(pid: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).context(path)?;
    let bytes = |key: &str| {
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok());
        kib.map(|kib: u64| kib * 1024).with_context(|| format!("no {key} of process {pid}"))
    };
    Ok(Memory { rss: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

/// Sets VmHWM of process `pid` back to its present VmRSS.
///
/// # Errors
///
/// When there is no such process, or it is another user's.
pub fn reset_peak(pid: u32) -> anyhow::Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").context(path)
}

/// VmRSS once it has stopped moving: freed memory goes back to the kernel with a delay.
///
/// # Errors
///
/// When there is no such process.
pub fn settled_rss(pid: u32) -> anyhow::Result<u64> {
    let began = Instant::now();
    let mut last = memory(pid)?.rss;
    let mut still = 0;
    while began.elapsed() < SETTLE_MAX {
        std::thread::sleep(SETTLE_STEP);
        let rss = memory(pid)?.rss;
        still = if rss.abs_diff(last) * 1_000 <= last { still + 1 } else { 0 };
        last = rss;
        if still == SETTLE_STEPS {
            break;
        }
    }
    Ok(last)
}

/// Time on the CPU of process `pid` so far, user and system.
///
/// # Errors
///
/// When there is no such process.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).context(path)?;
    // The name before the closing parenthesis may hold spaces; utime and stime are fields 14, 15.
    let (_, fields) = stat.rsplit_once(')').context("stat without a name")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>())
        .sum::<Result<u64, _>>()?;
    Ok(of_ticks(ticks))
}

/// The kernel's unit of CPU time.
pub(crate) fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}

/// USER_HZ, which is 100 on every architecture that Linux has had in this century but Alpha.
const TICKS_PER_SECOND: u64 = 100;

/// jemalloc is told to keep dirty pages 500 ms (.cargo/config.toml): still for 1.5 s is still.
const SETTLE_STEP: Duration = Duration::from_millis(250);
const SETTLE_STEPS: u32 = 6;
const SETTLE_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_run() {
        let pid = std::process::id();
        let memory = memory(pid).unwrap();
        assert!(memory.rss > 0 && memory.peak > 0);
        reset_peak(pid).unwrap();
        assert!(cpu_time(pid).unwrap() < Duration::from_secs(3_600));
    }
}

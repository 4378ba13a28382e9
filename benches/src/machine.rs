//! The machine of a run: a figure without one says nothing.

use std::{
    fmt, fs,
    time::{Duration, SystemTime},
};

/// What a figure depends on, as far as `/proc` tells.
#[derive(Clone, Debug)]
pub struct Machine {
    /// CPU model.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Kernel's name and release.
    pub kernel: String,
    /// Load averages over 1, 5 and 15 minutes at the start of the run.
    pub load: String,
    /// Date and time, UTC.
    pub utc: String,
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            cpu: cpu.map_or_else(|| "unknown CPU".to_owned(), |(_, model)| model.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: meminfo("MemTotal:"),
            kernel: format!(
                "{} {}",
                read("/proc/sys/kernel/ostype").trim(),
                read("/proc/sys/kernel/osrelease").trim()
            ),
            load: read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" "),
            utc: fixtures::dataset::rfc3339(since.map_or(0, |since| since.as_secs())),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu, cores, kernel, load, utc, .. } = self;
        let memory = crate::table::bytes(self.memory_bytes);
        write!(f, "{utc}, {cpu}, {cores} cores, {memory}, {kernel}, load {load}")
    }
}

/// Bytes that new processes can use without swapping; 0 where that is unknown.
pub fn available_bytes() -> u64 {
    meminfo("MemAvailable:")
}

/// Time that all cores together have spent so far in programs and in the kernel on their behalf,
/// and time that a hypervisor took; interrupts, which are not charged to anybody, left out.
pub fn busy_time() -> Duration {
    let stat = read("/proc/stat");
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.map(|ticks| ticks.parse().unwrap_or(0)).collect();
    // user, nice, system, …, steal
    let busy: u64 = [0, 1, 2, 7].iter().filter_map(|&index| ticks.get(index)).sum();
    crate::process::of_ticks(busy)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn meminfo(key: &str) -> u64 {
    let text = read("/proc/meminfo");
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

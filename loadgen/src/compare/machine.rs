//! The machine of a run, and the time of day.

use std::{fs, time::SystemTime};

use super::result::Machine;

/// This machine, as far as `/proc` tells.
pub(super) fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let kernel = format!(
        "{} {}",
        read("/proc/sys/kernel/ostype").trim(),
        read("/proc/sys/kernel/osrelease").trim()
    );
    Machine {
        cpu: cpu.map_or_else(String::new, |(_, model)| model.trim().to_owned()),
        cores,
        memory_bytes: meminfo(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0),
        kernel: kernel.trim().to_owned(),
    }
}

/// Bytes that a new process can use: what the kernel calls available, or less where a cgroup
/// sets a limit.
pub(super) fn available_bytes() -> Option<u64> {
    let machine = meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?;
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let limit = number("/sys/fs/cgroup/memory.max");
    let used = number("/sys/fs/cgroup/memory.current").unwrap_or(0);
    Some(limit.map_or(machine, |limit| machine.min(limit.saturating_sub(used))))
}

/// RFC 3339 in whole seconds, UTC.
pub(super) fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    fixtures::dataset::rfc3339(seconds)
}

fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_meminfo() {
        let text = "MemTotal:       100 kB\nMemAvailable:    40 kB\n";
        assert_eq!(meminfo(text, "MemAvailable:"), Some(40 * 1024));
        assert_eq!(meminfo(text, "SwapTotal:"), None);
    }

    #[test]
    fn this_machine_is_described() {
        let machine = machine();
        assert!(machine.cores > 0 && machine.memory_bytes > 0 && machine.kernel.contains(' '));
        assert!(available_bytes().unwrap() > 0);
    }
}

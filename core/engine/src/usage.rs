//! What a process costs, as the system counts it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a task cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Processor seconds, user and system, of the process and of the programs that it ran.
    pub cpu_seconds: f64,
    /// Peak resident memory in bytes.
    pub peak_memory: u64,
    /// Bytes read by system calls.
    pub bytes_read: u64,
    /// Bytes written by system calls.
    pub bytes_written: u64,
}

impl Usage {
    /// What was used after `before`; the peak of the memory is the present one.
    pub fn since(&self, before: &Usage) -> Usage {
        Usage {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            peak_memory: self.peak_memory,
            bytes_read: self.bytes_read - before.bytes_read,
            bytes_written: self.bytes_written - before.bytes_written,
        }
    }
}

/// What this process has used so far, as the system counts it.
pub fn usage() -> Usage {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let io = read("/proc/self/io");
    let number = |text: &str, name: &str| -> u64 {
        text.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    // Fields 14 to 17 of /proc/self/stat, counted after the name in parentheses, in ticks of 10 ms: the process, and those it has waited for.
    let stat = read("/proc/self/stat");
    let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = [11, 12, 13, 14].iter().filter_map(|&i| after_name.get(i)?.parse::<f64>().ok()).sum();
    Usage {
        cpu_seconds: ticks / 100.0,
        peak_memory: number(&status, "VmHWM:") * 1024,
        bytes_read: number(&io, "rchar:"),
        bytes_written: number(&io, "wchar:"),
    }
}

//! The processes of a run: started together, watched, ended together.
//!
//! A recipe must not outlive its task. All its processes are of one group, which is ended after every run, so that nothing that the recipe has
//! started goes on. If we are killed ourselves, we cannot do that. So the first process of the group is a guard: a shell that waits for the end
//! of a pipe that we hold. However we end, the system closes the pipe, and the guard ends the group and itself.
//!
//! (`PR_SET_PDEATHSIG` would end esorex, but not what esorex has started; it can only be asked for between fork and exec, which is unsafe code; and it
//! looks at the thread that started the process, not at the process.)

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid};

use super::memory::{members_of_group, private_memory};

/// How often a run is looked at, in nanoseconds; its end is noticed at once.
const POLL_NS: i64 = 200_000_000;
/// The same where the system cannot tell when a process ends.
const BUSY_POLL: Duration = Duration::from_millis(50);
/// How often its memory is looked at.
const MEMORY_POLL: Duration = Duration::from_secs(1);
/// How often it is looked which processes it has, at the beginning more often: that means to look at all processes of the machine.
const MEMBERS_POLL: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ended {
    /// By itself, with that exit status.
    Status(i32),
    /// By that signal.
    Signal(i32),
    /// We ended it after that time.
    TimeLimit(Duration),
    /// We ended it: it used so many bytes, and so many were allowed.
    MemoryLimit(u64, u64),
}

/// The processes of a run.
pub struct Group {
    /// Leader of the group. It is waited for last, so that the number of the group names no other.
    guard: Child,
    child: Child,
    /// Largest memory that was seen, in bytes.
    pub memory: u64,
}

impl Group {
    /// Starts a program in a group of its own.
    ///
    /// # Errors
    /// If the program or the guard cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut guard = guard()?;
        match command.process_group(Pid::from_child(&guard).as_raw_nonzero().get()).spawn() {
            Ok(child) => Ok(Group { guard, child, memory: 0 }),
            Err(error) => {
                let _ = guard.kill().and_then(|()| guard.wait());
                Err(error)
            }
        }
    }

    /// Waits for the end of the program, and ends the whole group then. It is ended before if it takes longer or uses more bytes than allowed; 0
    /// allows any.
    ///
    /// # Errors
    /// If the system does not say how the program is.
    pub fn watch(&mut self, longest: Duration, allowed: u64, mut each: impl FnMut()) -> io::Result<Ended> {
        let start = Instant::now();
        let (mut looked, mut counted) = (start, start);
        let mut members = vec![self.child.id()];
        let end = EndOf::process(&self.child);
        let broken = loop {
            if self.has_ended()? {
                break None;
            }
            let time = start.elapsed();
            each();
            if time > longest {
                break Some(Ended::TimeLimit(longest));
            }
            if looked.elapsed() >= MEMORY_POLL {
                looked = Instant::now();
                if counted.elapsed() >= (time / 2).min(MEMBERS_POLL) {
                    counted = looked;
                    members = members_of_group(self.guard.id());
                }
                let used = members.iter().filter_map(|&p| private_memory(p)).sum();
                self.memory = self.memory.max(used);
                if allowed > 0 && used > allowed {
                    break Some(Ended::MemoryLimit(used, allowed));
                }
            }
            end.wait_for();
        };
        let status = self.end()?;
        Ok(broken.unwrap_or_else(|| ended(status)))
    }

    /// Whether the program has ended. It stays as a zombie until [`Child::wait`].
    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(Pid::from_child(&self.child)), options)?.is_some())
    }

    /// Ends all processes, and says how the program has ended.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let killed = kill_process_group(Pid::from_child(&self.guard), Signal::KILL);
        if killed.is_err() {
            // The guard itself was ended by somebody, and with it the group may be gone.
            let _ = self.child.kill();
        }
        let status = self.child.wait();
        let _ = self.guard.wait();
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The guard is waited for when the group has been ended.
        if self.guard.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.end();
        }
    }
}

/// Starts a shell that ends its group when we end.
fn guard() -> io::Result<Child> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "read -r end; kill -KILL 0"]).current_dir("/").env_clear().process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Status(code),
        (None, signal) => Ended::Signal(signal.unwrap_or(0)),
    }
}

/// The end of a process, to be waited for without looking for it again and again (Linux 5.3 and newer).
struct EndOf(Option<OwnedFd>);

impl EndOf {
    fn process(process: &Child) -> Self {
        EndOf(pidfd_open(Pid::from_child(process), PidfdFlags::empty()).ok())
    }

    /// Waits until it has ended, or for a moment.
    fn wait_for(&self) {
        let Some(descriptor) = &self.0 else { return std::thread::sleep(BUSY_POLL) };
        let mut asked = [PollFd::new(descriptor, PollFlags::IN)];
        if poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: POLL_NS })).is_err() {
            std::thread::sleep(BUSY_POLL);
        }
    }
}

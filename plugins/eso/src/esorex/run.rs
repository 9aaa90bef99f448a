//! One run of esorex: its own directory, its own process group, limits of time and memory, its log followed.
//!
//! The memory that is limited is what the processes of the group really occupy, looked at once a second, and not their address space
//! (`RLIMIT_AS`): CPL and OpenMP reserve several times of what they use, so a limit on the reserve ends healthy recipes, and a refused
//! reservation shows as an obscure error of the recipe instead of as lack of memory.
//!
//! A recipe must not outlive its task. The group is ended after every run, so that nothing that the recipe has started goes on; and if we
//! are killed ourselves, the system ends esorex (`PR_SET_PDEATHSIG`, which looks at the thread that started it: that one waits here).

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use ifured_core::sof::{self, SofEntry};
use ifured_core::{Host, RecipeError};

use super::log::Followed;
use super::program::Program;

/// How often the run is looked at; its end is noticed at once.
const POLL: Duration = Duration::from_millis(200);
/// The same where the system cannot tell when a process ends.
const BUSY_POLL: Duration = Duration::from_millis(50);
/// How often its memory is looked at.
const MEMORY_POLL: Duration = Duration::from_secs(1);
/// How often it is looked which processes it has, at the beginning more often: that means to look at all processes of the machine.
const MEMBERS_POLL: Duration = Duration::from_secs(10);

/// File with the set of frames, in the directory of the run.
pub const SOF: &str = "frames.sof";
/// What esorex printed, in the directory of the run.
pub const PRINTED: &str = "printed.txt";
/// The log, in the directory of the run. Until it ends, esorex calls it `.logfile`: so it is called still if esorex was killed.
pub const LOG: &str = "esorex.log";
const UNFINISHED_LOG: &str = ".logfile";

/// What may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunLimits {
    /// Longest time.
    pub time: Duration,
    /// Largest memory of all its processes together, in bytes; none is nine tenths of what is free at the start.
    pub memory: Option<u64>,
}

/// A run to be done.
pub struct Call<'a> {
    /// The program.
    pub program: &'a Program,
    /// Name of the recipe.
    pub recipe: &'a str,
    /// Options of the recipe: `--nifu=1`.
    pub options: &'a [String],
    /// What goes in, in this order.
    pub frames: &'a [SofEntry],
    /// Threads that the recipe may use.
    pub threads: usize,
    /// Limits.
    pub limits: RunLimits,
    /// What its log counts, see [`Followed::of`].
    pub counted: Option<(&'static str, u32)>,
    /// Empty directory for it; must be absolute.
    pub directory: &'a Path,
}

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

/// What a run was.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub time: Duration,
    /// Largest memory that was seen, in bytes; 0 if it was too short to be looked at.
    pub memory: u64,
    /// The last lines of errors.
    pub errors: VecDeque<String>,
    /// Warnings of the recipe.
    pub warnings: usize,
    /// The log.
    pub log: PathBuf,
}

/// Runs a recipe. Its products are in the directory of the call then.
///
/// # Errors
/// If it cannot be started; how it ended is no error here.
pub fn run(call: &Call<'_>, host: &dyn Host) -> Result<Ran, RecipeError> {
    let directory = call.directory;
    let failed = |what: &str, e: io::Error| {
        let what = format!("cannot {what} in {} for {}: {e}", directory.display(), call.recipe);
        RecipeError::new(what, "see whether the disk is full or not yours to write")
    };
    let frames = linked(call.frames, directory).map_err(|e| failed("link the frames", e))?;
    std::fs::write(directory.join(SOF), sof::text(&frames)?).map_err(|e| failed("write the set of frames", e))?;
    let printed = directory.join(PRINTED);
    let output = File::create(&printed).map_err(|e| failed("write what esorex prints", e))?;
    let followed = File::open(&printed).map_err(|e| failed("read what esorex prints", e))?;
    let start = Instant::now();
    let mut group = Group::start(call, output)
        .map_err(|e| RecipeError::new(format!("cannot start {}: {e}", call.program.path.display()), "see whether it is a program"))?;
    let mut log = Followed::of(call.frames.len(), call.counted);
    host.progress(0.0, &format!("{} starts", call.recipe));
    let ended = group.watch(call, start, |_| {
        if log.read_on(&followed).is_ok_and(|new| new) && !log.last.is_empty() {
            host.progress(log.fraction, &format!("{}: {}", call.recipe, log.last));
        }
    });
    let ended = ended.map_err(|e| failed("watch esorex", e))?;
    let _ = log.read_on(&followed);
    let (unfinished, finished) = (directory.join(UNFINISHED_LOG), directory.join(LOG));
    if !finished.is_file() && std::fs::rename(&unfinished, &finished).is_err() {
        // It ended before it had a log: what it printed is all there is.
        let _ = std::fs::copy(&printed, &finished);
    }
    Ok(Ran { ended, time: start.elapsed(), memory: group.memory, errors: log.errors, warnings: log.warnings, log: finished })
}

/// Frames whose path cannot stand in a set of frames are linked into the directory of the run.
fn linked(frames: &[SofEntry], directory: &Path) -> io::Result<Vec<SofEntry>> {
    let one = |(n, frame): (usize, &SofEntry)| {
        if sof::unwritable(&frame.path).is_none() {
            return Ok(frame.clone());
        }
        let name = frame.path.file_name().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-+:".contains(c) { c } else { '_' }).collect();
        // A directory for each: two frames may have the same name.
        let place = Path::new("linked").join(n.to_string());
        std::fs::create_dir_all(directory.join(&place))?;
        std::os::unix::fs::symlink(&frame.path, directory.join(&place).join(&name))?;
        Ok(SofEntry { path: place.join(name), ..frame.clone() })
    };
    frames.iter().enumerate().map(one).collect()
}

/// The options of esorex itself: products as the recipe names them, in the working directory, and nothing left to configuration.
fn options_of_esorex() -> [String; 10] {
    [
        "--suppress-prefix=TRUE".to_owned(),
        "--suppress-link=TRUE".to_owned(),
        "--output-readonly=FALSE".to_owned(),
        "--output-dir=.".to_owned(),
        "--check-sof-exist=TRUE".to_owned(),
        "--no-checksum=FALSE".to_owned(),
        "--msg-level=info".to_owned(),
        "--log-level=info".to_owned(),
        "--log-dir=.".to_owned(),
        format!("--log-file={LOG}"),
    ]
}

/// The processes of a run.
struct Group {
    child: Child,
    memory: u64,
}

impl Group {
    fn start(call: &Call<'_>, output: File) -> io::Result<Self> {
        let mut command = call.program.command(call.directory);
        command.args(options_of_esorex()).arg(call.recipe).args(call.options).arg(SOF);
        command.current_dir(call.directory).env("OMP_NUM_THREADS", call.threads.max(1).to_string());
        command.stdout(output.try_clone()?).stderr(output).process_group(0);
        let us = std::process::id();
        // SAFETY: between fork and exec only two system calls are made, which allocate nothing and take no lock.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // We may have died before the call.
                if libc::getppid() as u32 == us { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
            });
        }
        Ok(Group { child: command.spawn()?, memory: 0 })
    }

    /// Waits for the end, and ends the whole group then.
    fn watch(&mut self, call: &Call<'_>, start: Instant, mut each: impl FnMut(Duration)) -> io::Result<Ended> {
        let allowed = call.limits.memory.unwrap_or_else(|| free_memory() / 10 * 9);
        let (mut looked, mut counted) = (start, start);
        let mut members = vec![self.child.id()];
        let end = EndOf::process(self.child.id());
        let broken = loop {
            if self.has_ended()? {
                break None;
            }
            let time = start.elapsed();
            each(time);
            if time > call.limits.time {
                break Some(Ended::TimeLimit(call.limits.time));
            }
            if looked.elapsed() >= MEMORY_POLL {
                looked = Instant::now();
                if counted.elapsed() >= (time / 2).min(MEMBERS_POLL) {
                    counted = looked;
                    members = members_of_group(self.child.id());
                }
                let used = members.iter().filter_map(|&p| private_memory(p)).sum();
                self.memory = self.memory.max(used);
                if allowed > 0 && used > allowed {
                    break Some(Ended::MemoryLimit(used, allowed));
                }
            }
            end.wait_for();
        };
        self.kill();
        let status = self.child.wait()?;
        Ok(broken.unwrap_or_else(|| ended(status)))
    }

    /// Whether the first process has ended. It stays as a zombie until [`Child::wait`], so that its number names no other group.
    fn has_ended(&self) -> io::Result<bool> {
        // SAFETY: `info` is a plain structure of the C library, valid when zeroed, and outlives the call.
        let (answer, info) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            (libc::waitid(libc::P_PID, self.child.id(), &mut info, flags), info)
        };
        match answer {
            0 => Ok(info.si_signo != 0),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn kill(&self) {
        // SAFETY: no memory is passed; the group is ours, for its first process has not been waited for.
        unsafe { libc::kill(-(self.child.id() as libc::pid_t), libc::SIGKILL) };
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.kill();
            let _ = self.child.wait();
        }
    }
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
    fn process(process: u32) -> Self {
        // SAFETY: no memory is passed; what is opened is a descriptor that nobody else has.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, process as libc::pid_t, 0) };
        let descriptor = i32::try_from(descriptor).ok().filter(|d| *d >= 0);
        // SAFETY: it is open and ours.
        EndOf(descriptor.map(|d| unsafe { OwnedFd::from_raw_fd(d) }))
    }

    /// Waits until it has ended, or for a moment.
    fn wait_for(&self) {
        let Some(descriptor) = &self.0 else { return std::thread::sleep(BUSY_POLL) };
        let mut asked = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure that outlives the call.
        let answer = unsafe { libc::poll(&mut asked, 1, POLL.as_millis() as libc::c_int) };
        if answer < 0 {
            std::thread::sleep(BUSY_POLL);
        }
    }
}

/// The processes of a group.
fn members_of_group(group: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|p| group_of(*p) == Some(group)).collect()
}

/// The group is the third word behind the name in brackets, which may hold anything (proc(5)).
fn group_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// Memory in bytes that a process has for itself: resident pages without those shared with files.
fn private_memory(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let mut pages = text.split_whitespace().skip(1).map_while(|w| w.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    // SAFETY: no memory is passed.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(resident.saturating_sub(shared) * u64::try_from(page).unwrap_or(4096))
}

/// Memory in bytes that can be had without swapping; 0 if the system does not say.
fn free_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

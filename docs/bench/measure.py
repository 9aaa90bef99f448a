#!/usr/bin/env python3
"""Run a command and write down what it cost.

  measure.py --name NAME --json FILE [--log FILE] -- COMMAND ARGS...     one record, a JSON object
  measure.py --name NAME --append FILE -- COMMAND ARGS...                one line of JSON more in FILE

Processor time and bytes are those of the command and of all its descendants that it waited for, as the kernel adds them
up: user and system time from wait4(2), bytes that went through read and write calls from the difference of
/proc/self/io before and after. `parent_peak_mb` is the high-water mark of the command's own resident memory, sampled
while it runs; `largest_peak_mb` is that of the largest process of the tree. Standard library only.
"""
import json
import os
import subprocess
import sys
import threading
import time


def io_counters():
    with open('/proc/self/io') as f:
        fields = dict(line.split(': ') for line in f.read().splitlines())
    return int(fields['rchar']), int(fields['wchar'])


def watch(pid, peak, stop):
    """The high-water mark only grows, so the last sample before the end is it, up to the last 20 ms."""
    while not stop.wait(0.02):
        try:
            with open(f'/proc/{pid}/status') as f:
                for line in f:
                    if line.startswith('VmHWM:'):
                        peak[0] = max(peak[0], int(line.split()[1]))
                        break
        except OSError:
            return


def measured(command, log):
    before = io_counters()
    start = time.monotonic()
    try:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT if log else None)
    except OSError as e:
        sys.exit(f'measure.py: cannot start {command[0]}: {e}')
    peak, stop = [0], threading.Event()
    watcher = threading.Thread(target=watch, args=(child.pid, peak, stop), daemon=True)
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - start
    stop.set()
    watcher.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    after = io_counters()
    return dict(wall_s=wall, user_s=usage.ru_utime, system_s=usage.ru_stime, cpu_s=usage.ru_utime + usage.ru_stime,
                largest_peak_mb=usage.ru_maxrss / 1024, parent_peak_mb=peak[0] / 1024,
                read_mb=(after[0] - before[0]) / 1e6, written_mb=(after[1] - before[1]) / 1e6, code=child.returncode)


def main():
    if '--' not in sys.argv:
        sys.exit(__doc__)
    at = sys.argv.index('--')
    options, command = sys.argv[1:at], sys.argv[at + 1:]
    given = dict(zip(options[::2], options[1::2]))
    if not command or set(given) - {'--name', '--json', '--append', '--log'} or len(options) % 2:
        sys.exit(__doc__)
    log = open(given['--log'], 'wb') if '--log' in given else None
    record = dict(name=given.get('--name', command[0]), **measured(command, log))
    if '--json' in given:
        with open(given['--json'], 'w') as f:
            json.dump(record, f, indent=1)
    if '--append' in given:
        with open(given['--append'], 'a') as f:
            f.write(json.dumps(record) + '\n')
    sys.exit(record['code'] if record['code'] >= 0 else 128 - record['code'])


if __name__ == '__main__':
    main()

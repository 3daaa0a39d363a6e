"""What a process's memory says: is its code what its files hold, and how much of it is its own?"""
import collections
import os
import re

PAGE = 4096
MAPS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+)\s*(.*)")


def text_mappings(pid):
    """(start, end, file offset, path) of every executable mapping of a file."""
    with open("/proc/%d/maps" % pid) as f:
        for line in f:
            start, end, perms, offset, _, inode, path = MAPS.match(line.rstrip("\n")).groups()
            if "x" in perms and inode != "0":
                yield int(start, 16), int(end, 16), int(offset, 16), path


def differing_bytes(pid, only=""):
    """[(path, file offset, byte in the file, byte in memory, address)] over all code of the process (paths that contain
    `only`).

    An empty list means that no breakpoint is left (and that nobody else patched the code).
    """
    found = []
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for start, end, offset, path in text_mappings(pid):
            if only not in path:
                continue
            # map_files leads to the mapped inode even after a rename or an unlink
            with open("/proc/%d/map_files/%x-%x" % (pid, start, end), "rb") as f:
                f.seek(offset)
                want = f.read(end - start)
            mem.seek(start)
            got = read_all(mem, len(want))
            for page in range(0, len(want), PAGE):
                if want[page:page + PAGE] != got[page:page + PAGE]:
                    found += [(path, offset + i, want[i], got[i], start + i) for i in range(page, min(page + PAGE, len(want)))
                              if want[i] != got[i]]
    return found


def any_breakpoint(pid, addresses):
    """Is there a breakpoint at one of them by now? Cheap: to be asked in a tight loop."""
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        return any(os.pread(mem.fileno(), 1, address) == b"\xcc" for address in addresses)


def read_all(stream, size):
    parts = []
    while size:
        part = stream.read(size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def private_dirty_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))


def cpu_ns(pid):
    """CPU time of all threads of the process, in ns (the sum over schedstat: 1 ns steps, unlike stat's 10 ms)."""
    total = 0
    for tid in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, tid)) as f:
                total += int(f.read().split()[0])
        except OSError:
            pass  # a thread that ended meanwhile
    return total


def family(pid):
    """The process and all below it: the agent serves its page from a process of its own."""
    below = collections.defaultdict(list)
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as f:
                below[int(f.read().rsplit(")", 1)[1].split()[1])].append(int(name))
        except OSError:
            pass  # it has ended
    found = [pid]
    for parent in found:  # which grows
        found += below[parent]
    return found


def family_cpu_ns(pid):
    return sum(map(cpu_ns, family(pid)))

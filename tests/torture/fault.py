"""Faults: what is told to faults.c, which limits hold, which signal is sent."""

import errno
import os
import resource
import shutil
import signal

ERRORS = {
    "open": [errno.EACCES, errno.EMFILE, errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOMEM],
    "read": [errno.EIO, errno.EINTR, errno.ESTALE],
    "pread": [errno.EIO, errno.ESTALE],
    "write": [errno.ENOSPC, errno.EIO, errno.EINTR, errno.EDQUOT, errno.EFBIG],
    "fflush": [errno.ENOSPC, errno.EIO],
    "fsync": [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EINVAL],
    "close": [errno.EIO, errno.EINTR, errno.ENOSPC],
    "rename": [errno.EACCES, errno.ENOSPC, errno.EIO, errno.EXDEV, errno.EROFS],
    "unlink": [errno.EACCES, errno.EIO],
    "mkdir": [errno.EACCES, errno.ENOSPC, errno.EROFS],
    "stat": [errno.EACCES, errno.EIO, errno.ENOMEM],
    "flock": [errno.EINTR, errno.ENOLCK, errno.EWOULDBLOCK],
    "ftruncate": [errno.EIO, errno.ENOSPC],
    "fchmod": [errno.EPERM, errno.EIO],
    "mmap": [errno.ENOMEM],
    "opendir": [errno.EACCES, errno.EMFILE, errno.ENOMEM],
    "thread": [errno.EAGAIN],
    "memory": [errno.ENOMEM],
}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGWINCH]


class Fault:
    """One of the following, or drawn by a round's random numbers."""

    def __init__(self, order=None):
        self.environment, self.limits, self.sent, self.cuts = {}, [], [], False
        if order:
            self.order(*order)

    def drawn(self, house, scenario, draw):
        kinds = ["error"] * 8 + ["kill", "cut"] * 3 + ["cut_at_end", "late", "short", "signal", "gone", "clock", "files", "size"]
        kind = draw.choice(kinds + ["memory"] * (not house.sanitized))
        getattr(self, kind)(house, scenario, draw)
        return self

    def order(self, call, number, what):
        self.text = f"{call}:{number}:{what}"
        self.environment["NORMA_FAULT"] = self.text

    def anywhere(self, scenario, draw, what):
        self.order("any", draw.randint(1, scenario.calls["any"]), what)

    def error(self, house, scenario, draw):
        call = draw.choice([name for name in ERRORS if scenario.calls[name]])
        number = draw.randint(1, scenario.calls[call])
        self.order(call, number, f"{draw.choice(ERRORS[call])}{draw.choice(['', '+'])}")
        if f":{errno.EINTR}+" in self.text:  # nobody gets out of that
            self.order(call, number, errno.EINTR)

    def short(self, house, scenario, draw):
        call = draw.choice([name for name in ("read", "pread", "write") if scenario.calls[name]])
        self.order(call, draw.randint(1, scenario.calls[call]), draw.choice(["short", "short+"]))

    def kill(self, house, scenario, draw):
        self.anywhere(scenario, draw, "kill")
        self.sent = [signal.SIGKILL]

    def late(self, house, scenario, draw):
        self.anywhere(scenario, draw, "late")
        self.sent = [signal.SIGKILL]

    def cut(self, house, scenario, draw):
        self.kill(house, scenario, draw)
        self.keep_journal(house)

    def cut_at_end(self, house, scenario, draw):
        self.text = "at the end:"
        self.keep_journal(house)

    def keep_journal(self, house):
        self.cuts = True
        self.journal = house.path("journal")
        self.environment["NORMA_FAULT_JOURNAL"] = self.journal
        shutil.rmtree(self.journal, ignore_errors=True)
        os.mkdir(self.journal)

    def signal(self, house, scenario, draw):
        number = draw.choice(SIGNALS)
        self.anywhere(scenario, draw, f"signal-{int(number)}")
        self.sent = [number]

    def gone(self, house, scenario, draw):
        self.environment["NORMA_FAULT_FOLDER"] = house.path("place", "run")
        self.anywhere(scenario, draw, "gone")

    def clock(self, house, scenario, draw):
        self.anywhere(scenario, draw, "clock")

    def memory(self, house, scenario, draw):
        self.limit(resource.RLIMIT_AS, draw.randint(20, 140) << 20)

    def files(self, house, scenario, draw):
        self.limit(resource.RLIMIT_NOFILE, draw.randint(3, 12))

    def size(self, house, scenario, draw):
        self.limit(resource.RLIMIT_FSIZE, draw.randint(0, 12000))

    def limit(self, which, value):
        names = {resource.RLIMIT_AS: "memory", resource.RLIMIT_NOFILE: "descriptors",
                 resource.RLIMIT_FSIZE: "file size"}
        self.text = f"{names[which]} {value}"
        self.limits = [(which, value)]

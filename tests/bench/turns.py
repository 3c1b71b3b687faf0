"""What programs share that measure several things in turn and write what they found into a document."""
import datetime
import re
import subprocess
import sys
import time


def wait_until(clock):
    """Until that time of the day, HH:MM, if it is still to come."""
    now = datetime.datetime.now()
    hour, minute = map(int, clock.split(":"))
    wait = (now.replace(hour=hour, minute=minute, second=0, microsecond=0) - now).total_seconds()
    time.sleep(max(0, wait))


def used_by_others(seconds=0.4):
    """The share of the processors' time that is used now, while nothing of ours runs."""
    def idle_and_all():
        with open("/proc/stat", encoding="ascii") as file:
            numbers = [int(word) for word in file.readline().split()[1:9]]
        return numbers[3] + numbers[4], sum(numbers)
    idle, total = idle_and_all()
    time.sleep(seconds)
    idle_then, total_then = idle_and_all()
    return 1 - (idle_then - idle) / max(1, total_then - total)


class OneCoreBusy:
    """With it, another program keeps a core busy, if `wanted`."""

    def __init__(self, wanted):
        self.wanted, self.program = wanted, None

    def __enter__(self):
        if self.wanted:
            self.program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            time.sleep(0.1)

    def __exit__(self, *_):
        if self.program:
            self.program.kill()
            self.program.wait()


def figure(microseconds):
    if microseconds is None:
        return ""
    if microseconds < 100:
        return f"{microseconds:.2f}" if microseconds < 10 else f"{microseconds:.1f}"
    return f"{microseconds:,.0f}"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return model.group(1) if model else "unknown processor"


def put(path, mark, text):
    """Replaces what stands between the lines <!-- mark --> and <!-- /mark -->."""
    with open(path, encoding="utf-8") as file:
        whole = file.read()
    whole, count = re.subn(rf"(?s)(<!-- {mark} -->\n).*?(<!-- /{mark} -->)",
                           lambda match: match.group(1) + text + "\n" + match.group(2), whole)
    if count != 1:
        sys.exit(f"{path} has no lines <!-- {mark} --> and <!-- /{mark} -->")
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole)

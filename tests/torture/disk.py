"""Power cuts."""

import os


class Disk:
    """What may be on the disk after a power cut, by the journal of what was synced.

    Names change in order: those before the last sync of a folder have arrived, of the later ones
    some first part. A file holds what it was last synced with; what came later arrived wholly, in
    part, as zeros, or not."""

    def __init__(self, journal, start, place, draw):
        self.draw = draw
        self.place = place
        self.names = {}  # path: a file's number, or None for a folder
        self.synced, self.journal = {}, journal
        for folder, folders, files in os.walk(start):
            base = os.path.normpath(os.path.join(place, os.path.relpath(folder, start)))
            for name in folders:
                self.names[os.path.join(base, name)] = None
            for name in files:
                self.names[os.path.join(base, name)] = self.new(os.path.join(folder, name))
        self.replay()

    def new(self, content):
        number = len(self.synced)
        self.synced[number] = content  # a path to read it from; None: never synced
        return number

    def replay(self):
        lines = []
        if os.path.exists(os.path.join(self.journal, "journal")):
            with open(os.path.join(self.journal, "journal"), encoding="utf-8") as file:
                lines = [line.rstrip("\n").split("\t") for line in file]
        last_sync = max([i for i, line in enumerate(lines) if line[0] == "folder"], default=-1)
        arrived = self.draw.randint(last_sync + 1, len(lines))
        live = dict(self.names)  # as the program saw it: syncs name files by what they are called then
        for i, (what, path, *more) in enumerate(lines):
            on_disk = i < arrived
            if what == "create":
                live[path] = self.new(None)
            elif what == "mkdir":
                live[path] = None
            elif what == "rename":
                live[more[0]] = live.pop(path, None)
            elif what == "unlink":
                live.pop(path, None)
            elif what == "sync" and live.get(path) is not None:
                self.synced[live[path]] = os.path.join(self.journal, more[0])
            if on_disk:
                self.names = dict(live)
        self.live = live

    def make(self, folder):
        """Writes it there."""
        os.makedirs(folder)
        for path, number in sorted(self.names.items(), key=lambda item: len(item[0])):
            relative = os.path.relpath(path, self.place)
            if relative.startswith(".."):
                continue
            target = os.path.join(folder, relative)
            if number is None:
                os.makedirs(target, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(self.content(number))

    def content(self, number):
        synced = b""
        if self.synced[number]:
            with open(self.synced[number], "rb") as file:
                synced = file.read()
        now = [path for path, other in self.live.items() if other == number]
        try:
            with open(now[0], "rb") as file:
                latest = file.read()
        except (IndexError, FileNotFoundError, IsADirectoryError):
            return synced
        if latest == synced:
            return synced
        part = self.draw.randint(0, len(latest))
        return self.draw.choice([synced, latest, latest[:part], latest[:part] + bytes(len(latest) - part)])

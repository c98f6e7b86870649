# SPDX-License-Identifier: Apache-2.0
"""What strace wrote, as calls: who, when, which, with what."""
import dataclasses
import re

LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$")
THREAD = re.compile(r"CLONE_THREAD.* = (\d+)$")
CHILD = re.compile(r"^(?:clone|clone3|v?fork)\(.* = (\d+)$")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?')
ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-f]{2})|(.))", re.DOTALL)
LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}


@dataclasses.dataclass
class Call:
    begun: float
    ended: float
    process: int  # of its threads the first
    name: str
    text: str  # arguments and result, as written by strace

    @property
    def ok(self):
        return not self.text.rstrip().rsplit(" = ", 1)[-1].startswith("-1")

    def strings(self):
        return [plain(s) for s in TEXT.findall(self.text)]

    def bytes(self):
        """All bytes that were written, or read."""
        return b"".join(raw(s) for s in TEXT.findall(self.payload()))

    def payload(self):
        return self.text.split(">, ", 1)[-1]

    def descriptor(self):
        """The path or the socket of the first argument."""
        found = re.match(r"\d+<(.*?)>(?:, |\))", self.text)
        return found[1] if found else ""


def raw(escaped):
    def one(m):
        if m[1]:
            return bytes([int(m[1], 8) & 255])
        return bytes([int(m[2], 16)]) if m[2] else LETTERS.get(m[3], m[3])
    return ESCAPE.sub(one, escaped.encode("utf-8", "surrogateescape"))


def plain(escaped):
    return raw(escaped).decode("utf-8", "replace")


class Trace:
    """A file that grows."""

    def __init__(self, path):
        self.path, self.offset = path, 0
        self.halves = {}   # thread: (begun, text) of a call that has not ended
        self.process = {}  # thread: its process
        self.parents = {}  # process: who started it

    def more(self):
        """The calls that have ended since it was last asked, in that order, threads counted to their process."""
        with open(self.path, "rb") as f:
            f.seek(self.offset)
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]
        self.offset += len(data)
        lines = sorted(self.whole(data.decode("utf-8", "surrogateescape").splitlines()), key=lambda x: x[2])
        for thread, _, _, text in lines:
            found = THREAD.search(text) if text.startswith("clone") else None
            if found:
                self.process[int(found[1])] = self.process.get(thread, thread)
        for thread, _, _, text in lines:
            found = CHILD.match(text)
            if found and int(found[1]) not in self.process:
                self.parents[int(found[1])] = self.process.get(thread, thread)
        return [Call(begun, ended, self.process.get(thread, thread), *text.partition("(")[::2]) for thread, begun, ended, text in lines]

    def whole(self, lines):
        """(thread, begun, ended, text) of each call, its two halves put together."""
        for line in lines:
            found = LINE.match(line)
            if not found:
                continue
            thread, at, text = int(found[1]), float(found[2]), found[3]
            if text.endswith("<unfinished ...>"):
                self.halves[thread] = (at, text.removesuffix("<unfinished ...>").rstrip(" "))
            elif text.startswith("<... "):
                begun, begin = self.halves.pop(thread, (at, ""))
                yield thread, begun, at, begin + text.split(" resumed>", 1)[-1]
            elif not text.startswith(("+++", "---")):
                yield thread, at, at, text

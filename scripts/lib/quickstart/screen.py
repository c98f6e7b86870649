# SPDX-License-Identifier: Apache-2.0
# What the user sees: on a terminal one moving line with a bar for the whole run, above it a line for each
# finished stage. Elsewhere only the finished lines, without control characters.
import shutil
import sys
import textwrap
import threading
import time


class Screen:
    def __init__(self, stages, out=sys.stdout):
        """`stages`: {title: expected seconds}, in order; they give the bar its scale."""
        self.expected, self.passed, self.out = stages, 0.0, out
        self.live, self.lock = out.isatty(), threading.RLock()
        self.width = max(60, min(shutil.get_terminal_size((96, 24)).columns, 100))
        self.stage = None
        if self.live:
            threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        while True:
            with self.lock:
                self.draw()
            time.sleep(0.2)

    def draw(self):
        if not self.live or not self.stage:
            return
        share = self.expected.get(self.stage.title, 1)
        within = min(self.stage.seconds() / share, 0.95) * share
        part = min((self.passed + within) / sum(self.expected.values()), 1)
        filled = int(part * 24)
        text = " [%s%s] %3d %%  %s" % ("#" * filled, "." * (24 - filled), part * 100, self.stage.title)
        if self.stage.text:
            text += ": " + self.stage.text
        self.out.write("\r" + text[:self.width - 8].ljust(self.width - 8) + "%5.0f s" % self.stage.seconds())
        self.out.flush()

    def wipe(self):
        if self.live:
            self.out.write("\r" + " " * self.width + "\r")

    def line(self, text=""):
        with self.lock:
            self.wipe()
            self.out.write(text + "\n")
            self.out.flush()
            self.draw()

    def block(self, title, lines):
        self.line()
        self.line(title)
        for line in lines:
            self.line("  " + line)

    def wrapped_after(self, head, text):
        # Not at hyphens: a UUID is copied as one word.
        for line in textwrap.wrap(text, self.width - 1, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False):
            self.line(line)


class Stage:
    """with Stage(screen, "load") as s: … s.text = "604,303 rows" — printed when it ends."""

    def __init__(self, screen, title):
        self.screen, self.title, self.text, self.start = screen, title, "", time.monotonic()

    def seconds(self):
        return time.monotonic() - self.start

    def __enter__(self):
        self.screen.stage = self
        return self

    def __exit__(self, kind, value, trace):
        with self.screen.lock:
            self.screen.stage = None
            self.screen.passed += self.screen.expected.get(self.title, 1)
            mark = "ok" if kind is None else "!!"
            text = self.title + (": " + self.text if self.text else "")
            lines = textwrap.wrap(text, self.screen.width - 18, subsequent_indent="  ") or [""]
            self.screen.line(" %s  %s%7.1f s" % (mark, lines[0].ljust(self.screen.width - 17), self.seconds()))
            for line in lines[1:]:
                self.screen.line("     " + line)


def table(rows, left=1):
    """Rows of texts as aligned lines; the first `left` columns to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip()
            for row in rows]


def number(n):
    return format(int(n), ",")


def size(n):
    n = float(n)
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            return "%.0f %s" % (n, unit) if unit == "bytes" else "%.1f %s" % (n, unit)
        n /= 1000

# SPDX-License-Identifier: GPL-2.0
"""What a guest said, on the user's terminal: as text, and as nothing else."""
import os
import sys


def plain(text: str) -> str:
    """Without what moves the cursor, changes colours, or turns text around."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text)


def width() -> int:
    """As the terminal is now; a line that wraps can't be cleared. 0 is one that doesn't
    say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


class Line:
    """One that changes, on a terminal; elsewhere nothing."""

    def __init__(self, quiet: bool = False):
        self.tty = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.shown = ""

    def show(self, text: str) -> None:
        text = plain(text)[:width() - 1]
        if self.tty and text != self.shown:
            self.clear()
            self.shown = text
            print(text, end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self.shown = ""

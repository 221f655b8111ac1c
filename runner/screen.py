# SPDX-License-Identifier: GPL-2.0
"""What a guest said, on the user's terminal: as text, and as nothing else."""


def plain(text: str) -> str:
    """Without what moves the cursor, changes colours, or turns text around."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\t" else "?" for c in text)

# SPDX-License-Identifier: GPL-2.0
"""In the lab: submits DIRECTORY/job.yaml of each directory, all at once, waits for them, and
leaves beside each what the server has of it: job.json, lava.json, its test cases, and
lava.log. The server bounds the time of each job."""
from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time

URI = "http://admin:lab@127.0.0.1:8000/RPC2"
POLL = 2


def lavacli(*words: str) -> str:
    done = subprocess.run(["lavacli", "--uri", URI, *words], stdout=subprocess.PIPE, text=True,
                          check=True)
    return done.stdout


def show(number: str) -> dict[str, str]:
    said: dict[str, str] = json.loads(lavacli("jobs", "show", "--json", number))
    return said


def fetch(number: str, to: pathlib.Path) -> None:
    (to / "lava.log").write_text(lavacli("jobs", "logs", "--no-follow", "--raw", number))
    (to / "lava.json").write_text(lavacli("results", "--json", number))
    (to / "job.json").write_text(json.dumps(show(number)))


def main(directories: list[pathlib.Path]) -> int:
    said = lavacli("jobs", "submit", *(f"{d}/job.yaml" for d in directories)).split()
    waits = dict(zip(said, directories))
    if len(waits) != len(directories) or not all(map(str.isdigit, said)):
        print(f"the server did not take all of the jobs: {said}", file=sys.stderr)
        return 1
    while waits:
        time.sleep(POLL)
        for number, to in list(waits.items()):
            job = show(number)
            if job["state"] == "Finished":
                fetch(number, to)
                del waits[number]
                print(f"{to.name}: {job['health']}, by {job['device']}; {len(waits)} to come",
                      flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main([pathlib.Path(d) for d in sys.argv[1:]]))

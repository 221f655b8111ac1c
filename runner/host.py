# SPDX-License-Identifier: GPL-2.0
"""Programs of this machine that the runner starts: each leads a process group, which
ends as a whole, within a second, when the run is interrupted or killed."""
import contextlib
import os
import pathlib
import pwd
import re
import signal
import subprocess
import sys
import time
import typing

from runner import TOP, guard, place
from runner.errors import BadHost, Interrupted, OurFault

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# They change what our programs do; ARCH and so on are given where they are meant.
UNWANTED = ("CDPATH", "BASH_ENV", "ENV", "ARCH", "CROSS_COMPILE", "MAKEFLAGS",
            "MAKELEVEL", "GREP_OPTIONS", "POSIXLY_CORRECT")
PYTHON = (sys.executable, "-E", "-s", "-B")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    say(f"run_tests.sh: {text}")


def memory_left() -> int:
    """MiB that programs can have here before others have to give some"""
    found = re.search(r"^MemAvailable: +(\d+) kB$",
                      pathlib.Path("/proc/meminfo").read_text(), re.M)
    return int(found[1]) // 1024 if found else 0


class Deferred:
    """Where a signal must wait: a program has started, and nobody knows it yet."""
    waits = came = False

    def __enter__(self) -> None:
        self.waits = True

    def __exit__(self, *_: object) -> None:
        self.waits = False
        if self.came:
            raise Interrupted


DEFERRED = Deferred()


def end_at_signals() -> None:
    """From here on the first of these signals raises Interrupted; later ones are ignored. A
    signal that was ignored before, as by nohup, stays ignored."""
    def interrupted(_sig: int, _frame: object) -> None:
        ignore_signals()
        DEFERRED.came = True
        if not DEFERRED.waits:
            raise Interrupted

    for sig in SIGNALS:
        if signal.getsignal(sig) != signal.SIG_IGN:
            signal.signal(sig, interrupted)


def ignore_signals() -> None:
    for sig in SIGNALS:
        signal.signal(sig, signal.SIG_IGN)


def environment() -> typing.Dict[str, str]:
    env = {k: v for k, v in os.environ.items()
           if k not in UNWANTED and not k.startswith("PYTHON")}
    if "HOME" not in env and "XDG_CACHE_HOME" not in env:
        env["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    # An ordinary user's PATH on Debian lacks these, and tools live there.
    env["PATH"] = env.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    env["LC_ALL"] = "C"
    return env


def signal_name(number: int) -> str:
    """The real-time signals have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def on_terminal(cmd: typing.Sequence[str], env: typing.Mapping[str, str],
                **more: typing.Any) -> int:
    """The exit code. It keeps our terminal, as sudo may ask for a password there."""
    with subprocess.Popen(cmd, env=env, **more) as child:
        try:
            return child.wait()
        except BaseException:
            child.terminate()
            raise


class Host:
    """What runs programs. env is for all of them; arch is Debian's name of another
    architecture that is built for, and cross what the names of its tools begin with."""

    def __init__(self, arch: str = "") -> None:
        self.guard = guard.Guard()
        self.env = environment()
        self.arch, self.cross = arch, "aarch64-linux-gnu-" if arch else ""
        self.marks: typing.Dict[str, float] = {}  # when a part of the run was done
        self.versions: typing.Dict[str, str] = {}
        self.closed = False
        self.running: typing.Set["subprocess.Popen[bytes]"] = set()

    def mark(self, part: str) -> None:
        self.marks[part] = time.time()

    @contextlib.contextmanager
    def started(self, cmd: typing.Sequence[typing.Union[str, os.PathLike[str]]],
                **more: typing.Any) -> typing.Iterator["subprocess.Popen[bytes]"]:
        """A program in a group of its own, all of which is gone afterwards."""
        child: typing.Optional["subprocess.Popen[bytes]"] = None
        try:
            with DEFERRED:
                more.setdefault("stdin", subprocess.DEVNULL)
                child = subprocess.Popen(cmd, env=self.env, start_new_session=True, **more)
                self.running.add(child)
                self.guard.tell("group", child.pid)
            if self.closed:
                raise Interrupted
            yield child
        except OSError as e:
            if child:
                raise
            raise BadHost(f"cannot run {cmd[0]!s}: {e.strerror}") from e
        finally:
            if child:
                self.end(child)

    def end(self, child: "subprocess.Popen[bytes]") -> None:
        if child.poll() is None or guard.alive(child.pid):
            guard.end([child.pid], child.poll)
        child.wait()
        self.running.discard(child)
        self.guard.tell("no-group", child.pid)

    def end_all(self) -> None:
        """Ends all programs for good, also those that other threads are about to start"""
        self.closed = True
        children = list(self.running)
        guard.end([child.pid for child in children],
                  lambda: [child.poll() for child in children])

    def run(self, *cmd: typing.Union[str, os.PathLike[str]]) -> int:
        """The exit code; the program's output goes where ours goes."""
        with self.started(cmd) as child:
            return self.code(cmd, child.wait())

    def output(self, *cmd: typing.Union[str, os.PathLike[str]],
               timeout: typing.Optional[float] = None,
               stderr: typing.Optional[int] = None) -> typing.Tuple[int, str]:
        """(exit code, standard output); stderr is where the other goes, as in Popen."""
        with self.started(cmd, stdout=subprocess.PIPE, stderr=stderr) as child:
            try:
                out, _ = child.communicate(timeout=timeout)
            except subprocess.TimeoutExpired as e:
                raise BadHost(f"{cmd[0]!s} does not end within {timeout:g} s") from e
            return self.code(cmd, child.returncode), os.fsdecode(out)

    def logged(self, log: pathlib.Path,
               *cmd: typing.Union[str, os.PathLike[str]],
               cwd: typing.Optional[pathlib.Path] = None,
               tick: typing.Callable[[], None] = lambda: None) -> int:
        """The exit code of a program that says everything in a file; tick is called each
        second."""
        with open(log, "wb") as f, self.started(cmd, stdout=f, stderr=subprocess.STDOUT,
                                                cwd=cwd) as child:
            while True:
                try:
                    return self.code(cmd, child.wait(1))
                except subprocess.TimeoutExpired:
                    tick()

    def pipe(self, *cmds: typing.Sequence[typing.Union[str, os.PathLike[str]]],
             stderr: typing.Optional[typing.BinaryIO] = None) -> bool:
        """Whether all programs of a pipeline succeed"""
        stdin: typing.Any = subprocess.DEVNULL
        with contextlib.ExitStack() as stack:
            children = []
            for cmd in cmds:
                child = stack.enter_context(self.started(
                    cmd, stdin=stdin, stderr=stderr,
                    stdout=None if cmd is cmds[-1] else subprocess.PIPE))
                if stdin != subprocess.DEVNULL:
                    stdin.close()  # only the reader has it now, and it may end early
                stdin = child.stdout
                children.append(child)
            codes = [child.wait() for child in children]
        return not any(-signal.SIGPIPE if code == -signal.SIGPIPE else self.code(cmd, code)
                       for cmd, code in zip(cmds, codes))

    @staticmethod
    def code(cmd: typing.Sequence[typing.Union[str, os.PathLike[str]]], code: int) -> int:
        if code < 0:
            name = next(word for word in map(str, cmd) if not word.startswith("-")
                        and word not in (sys.executable, str(TOP / "runner")))
            raise OurFault(f"{os.path.basename(name)} was killed by {signal_name(-code)}")
        return code

    def asks_for_root(self, *cmd: str) -> bool:
        """Whether it ran, on the terminal, where sudo asks for its password."""
        if not sys.stdin.isatty():
            return False
        return on_terminal(["sudo", *cmd], self.env, stdout=subprocess.DEVNULL) == 0

    def cache(self) -> pathlib.Path:
        return place.cache(self.env)

    def debian_arch(self) -> str:
        """Debian's name of this machine's architecture"""
        here = os.uname().machine
        return {"x86_64": "amd64", "aarch64": "arm64"}.get(here, here)

    def version_of(self, program: str, timeout: float = 10) -> str:
        """The first line of what it says of itself; empty when it says nothing."""
        if program not in self.versions:
            try:
                _, out = self.output(program, "--version", timeout=timeout)
            except BadHost as e:
                complain(str(e))
                return ""
            self.versions[program] = out.partition("\n")[0]
        return self.versions[program]

    def describe_suite(self) -> str:
        try:
            return self.output("git", "-C", TOP, "describe", "--always", "--dirty")[1].strip()
        except BadHost:
            return ""

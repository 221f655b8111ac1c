# SPDX-License-Identifier: GPL-2.0
"""The tests as files of tools/testing/selftests/mm (vm in 6.1): a directory of their
own, laid out as here, and the lines that upstream's files need for it.  Nothing is
written to the tree that is read."""
import pathlib
import re
from collections.abc import Callable

from runner import TOP

from .patches import Error

HERE = TOP / "intree"
# Beside the programs, as they are run from there: mm's own scripts are in mm/ too
SCRIPT = "test_hmm_notifier.sh"
WRAPPER = "ksft_hmm_notifier.sh"


def directory_of(tree: pathlib.Path) -> str:
    """tools/testing/selftests/mm, or vm in 6.1"""
    for mm in ("mm", "vm"):
        if (tree / "tools/testing/selftests" / mm / "run_vmtests.sh").is_file():
            return f"tools/testing/selftests/{mm}"
    raise Error(f"{tree} has no tools/testing/selftests/mm/run_vmtests.sh")


def edited(tree: pathlib.Path) -> list[str]:
    """What of the tree is read, and in part written anew"""
    names = ("Makefile", ".gitignore", "run_vmtests.sh", "config", "settings", "ksft_hmm.sh")
    return ["MAINTAINERS", *(f"{directory_of(tree)}/{name}" for name in names)]


class Selftests:
    """What becomes of one tree's selftests/mm, written to out."""

    def __init__(self, tree: pathlib.Path, out: pathlib.Path) -> None:
        self.tree, self.out = tree, out
        self.mm = directory_of(tree)
        self.ours = f"{self.mm}/hmm_notifier"
        # 6.1 knows no categories, and no destructive tests
        self.has_categories = "\nCATEGORY=" in self.read("run_vmtests.sh")
        self.has_wrappers = (tree / self.mm / "ksft_hmm.sh").is_file()

    def read(self, name: str) -> str:
        """A file of mm/, with what was written of it already"""
        path = f"{self.mm}/{name}"
        return (self.out / path if (self.out / path).is_file()
                else self.tree / path).read_text()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of the tree, which keeps its mode if there is one"""
        if (self.tree / path).is_file():
            mode = (self.tree / path).stat().st_mode & 0o777 | 0o200
        (self.out / path).parent.mkdir(parents=True, exist_ok=True)
        (self.out / path).write_text(text)
        (self.out / path).chmod(mode)

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """change() gets the text of a file of mm/"""
        try:
            self.write(f"{self.mm}/{name}", change(self.read(name)))
        except LookupError as anchor:
            raise Error(f"{self.tree}/{self.mm}/{name} looks like none that this knows:"
                        f" no {anchor}") from anchor

    def all(self) -> None:
        """The whole of it"""
        self.directory()
        for source, path in self.sources():
            self.copy(source, path)
        self.callers()

    def sources(self) -> list[tuple[pathlib.Path, str]]:
        """Where it lies here, and where there, of all that is copied as it is"""
        names = [p.relative_to(TOP / "selftests")
                 for p in (TOP / "selftests").glob("hmm_notifier*.[ch]")]
        found = [(TOP / "selftests" / n, f"{self.ours}/{n}") for n in names]
        found += [(p, f"{self.ours}/{p.relative_to(TOP)}")
                  for p in (TOP / "lib").rglob("*")
                  if p.suffix in (".c", ".h") or p.name == "warn-sites.sh"]
        return sorted(found)

    def copy(self, source: pathlib.Path, path: str) -> None:
        """Without what somebody's umask did to it"""
        self.write(path, source.read_text(), 0o755 if source.suffix == ".sh" else 0o644)

    def directory(self) -> None:
        """The directory, and what makes mm/Makefile build it"""
        self.copy(HERE / "hmm_notifier.mk", f"{self.ours}/hmm_notifier.mk")
        self.write(f"{self.ours}/.gitignore",
                   "# SPDX-License-Identifier: GPL-2.0-only\n/warn_sites.h\n")
        self.edit("Makefile", lambda text: text.rstrip("\n")
                  + "\n\ninclude hmm_notifier/hmm_notifier.mk\n")
        self.edit(".gitignore", lambda text: _after(text, "hmm-tests\n", "/hmm_notifier_*\n"))
        line = f"F:\t{self.mm}/*hmm*\n"
        maintainers = (self.tree / "MAINTAINERS").read_text()
        if line not in maintainers:
            raise Error(f"{self.tree}/MAINTAINERS has no {line.strip()}")
        self.write("MAINTAINERS", _after(maintainers, line, f"F:\t{self.ours}/\n"))

    def callers(self) -> None:
        """What makes kselftest and run_vmtests.sh run the tests"""
        self.copy(HERE / SCRIPT, f"{self.mm}/{SCRIPT}")
        if self.has_wrappers:
            text = self.read("ksft_hmm.sh").replace("-t hmm\n", "-t hmm_notifier\n")
            self.write(f"{self.mm}/{WRAPPER}", text, 0o755)
        self.edit("Makefile", self._list_scripts)
        self.edit("run_vmtests.sh", self._run_script)
        self.edit("config", _add_options)
        self.edit("settings", _enough_time)

    def _list_scripts(self, text: str) -> str:
        """There are no categories in 6.1: there the script is a program of its own as
        well, or nothing but run_vmtests.sh as a whole would get to it."""
        if self.has_wrappers:
            line = "TEST_PROGS += ksft_hmm.sh\n"
            text = _after(text, line, f"TEST_PROGS += {WRAPPER}\n")
        if not self.has_categories:
            return _after(text, "TEST_PROGS := run_vmtests.sh\n", f"TEST_PROGS += {SCRIPT}\n")
        return _after(text, "TEST_FILES += test_hmm.sh\n", f"TEST_FILES += {SCRIPT}\n")

    def _run_script(self, text: str) -> str:
        if not self.has_categories:
            return _after(text, "run_test ./test_hmm.sh smoke\n", f"run_test ./{SCRIPT}\n")
        text = _after(text, "\thmm smoke tests\n", "- hmm_notifier\n"
                      "\ttests of failing MMU notifiers (with -d also those that WARN)\n")
        return _after(text, 'CATEGORY="hmm" run_test bash ./test_hmm.sh smoke\n',
                      f'CATEGORY="hmm_notifier" run_test bash ./{SCRIPT}'
                      ' $($RUN_DESTRUCTIVE && echo splats)\n')


def _after(text: str, line: str, more: str) -> str:
    """The text with more after the one line that is meant"""
    if f"\n{text}".count(f"\n{line}") != 1:
        raise LookupError(repr(line))
    before, _, rest = f"\n{text}".partition(f"\n{line}")
    return f"{before}\n{line}{more}{rest}"[1:]


def _add_options(text: str) -> str:
    wanted = (HERE / "config").read_text().splitlines(keepends=True)
    return text + "".join(line for line in wanted if line not in text)


def _enough_time(text: str) -> str:
    """In a guest without KVM both halves take more than a minute."""
    found = re.search(r"^timeout=(\d+)$", text, re.M)
    if not found:
        raise LookupError("timeout=")
    return text if int(found[1]) >= 300 else text.replace(found[0], "timeout=300")

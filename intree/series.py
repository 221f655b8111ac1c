# SPDX-License-Identifier: GPL-2.0
"""The series of a base as one would send it: OUT/BASE/fixes, the fixes of mm/,
OUT/BASE/tests, what test_hmm needs and the tests, and OUT/BASE/cocci, the rule as a
semantic patch.  None needs the others.  The tests are patches that are made here and
nowhere kept: tests-series says which."""
import email.utils
import itertools
import os
import pathlib
import re
import shutil
import tempfile
import textwrap

from runner import TOP

from . import patches
from .patches import Error
from .selftests import SCRIPT, Selftests, edited

PREFIX = "selftests/mm: hmm_notifier: "
COMMENT = re.compile(r"\A(?:/[/*] SPDX.*\n|\n)+/\*\n((?: \*.*\n)+?) \*/\n")
DIRECTORY = """\
An MMU notifier may fail only when it was told not to block, and then only with
-EAGAIN.  mm/mmu_notifier.c WARNs about anything else and pairs starts with ends
whatever the callbacks return, and no test enters that code: no notifier in the tree
fails on purpose.

Start a directory for tests that drive the fail points of test_hmm, and begin with what
everything else asks:"""
CALLERS = f"""\
By default only what leaves the log alone runs, as many CI systems take each WARNING
there for a bug.  run_vmtests.sh -d runs the tests that make the kernel WARN as well,
each bracketed in the log by its name.

{SCRIPT} loads test_hmm if need be.  What the tests need is added to the config; in a
guest without KVM they take more than a minute, so give them as long as they need."""


COCCI = patches.PATCHES / "cocci/mmu_notifier.cocci"
RULE = f"""\
An MMU notifier may fail only when it was told not to block, and then only with
-EAGAIN, and it must not sleep then.  The kernel WARNs about a driver that does
otherwise, if somebody runs it.

Find the direct cases in the source, and callers that start an invalidation and return
without its end:

    make coccicheck COCCI=scripts/coccinelle/api/{COCCI.name}"""


class Git:
    """A repository of nothing but the files that the series touches"""

    def __init__(self, where: pathlib.Path) -> None:
        self.dir = where
        where.mkdir()
        self("init", "-q", "-b", "base")

    def __call__(self, *args: str | os.PathLike[str]) -> str:
        done = patches.run("git", "-c", "core.fileMode=true", "-c", "gc.auto=0",
                           "-c", "commit.gpgSign=false", "-C", self.dir, *args)
        if done.returncode:
            raise Error(f"git {args[0]}: {done.stdout}")
        return done.stdout

    def commit(self, message: str) -> None:
        """All that changed"""
        self("add", "-Af")
        self("commit", "-qs", "--no-verify", "-m", message)


def make(base: str, out: pathlib.Path, kdir: str = "") -> None:
    """Writes OUT/BASE, with a series file for quilt, for Debian's source or for kdir."""
    if kdir:
        tree = pathlib.Path(kdir).resolve()
        base = patches.base_of(tree)
    else:
        tree = _source(base)
    to = out.absolute() / base
    shutil.rmtree(to, ignore_errors=True)
    with tempfile.TemporaryDirectory() as tmp:
        git = Git(pathlib.Path(tmp) / "git")
        _commit_all(git, tree, base)
        on = _base_commit(git, tree) if kdir else ""
        _format(git, tree, to, "fixes", "base", on)
        _format(git, tree, to, "tests", "fixes", on)
        _format(git, tree, to, "cocci", "tests", on)
    names = [p.relative_to(to) for what in ("fixes", "tests", "cocci")
             for p in sorted((to / what).glob("*.patch")) if p.name[:4] != "0000"]
    (to / "series").write_text("".join(f"{name}\n" for name in names))
    print(f"{to}: {len(names)} patches")


def _source(base: str) -> pathlib.Path:
    """Debian's linux-source of that base"""
    done = patches.run(TOP / "run_tests.sh", "get-source", base)
    if done.returncode:
        raise Error(done.stdout)
    return pathlib.Path(done.stdout.splitlines()[-1])


def _base_commit(git: Git, tree: pathlib.Path) -> str:
    """HEAD of a tree that has it unchanged, as far as the series goes"""
    there = ("git", "-c", "safe.directory=*", "-C", tree)
    files = git("ls-tree", "-r", "--name-only", "base").splitlines()
    if patches.run(*there, "diff", "--quiet", "HEAD", "--", *files).returncode:
        raise Error(f"{tree} has no commit, or changes of {' '.join(files)}")
    return patches.run(*there, "rev-parse", "HEAD").stdout.strip()


def _commit_all(git: Git, tree: pathlib.Path, base: str) -> None:
    wanted = patches.of_base(base)
    for name in {".mailmap", *edited(tree), *(f for p in wanted for f in patches.touched(p))}:
        if (tree / name).is_file():
            (git.dir / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree / name, git.dir / name)
            (git.dir / name).chmod((tree / name).stat().st_mode | 0o200)
    git.commit("base")
    git("checkout", "-qb", "fixes")
    git("am", "-q", *(p for p in wanted if patches.is_fix(p)))
    git("checkout", "-qb", "tests")
    git("am", "-q", *(p for p in wanted if not patches.is_fix(p) and not patches.is_kunit(p)))
    selftests = Selftests(git.dir, git.dir)
    selftests.directory()
    about = DIRECTORY
    for subject, files in _groups(selftests):
        for source, path in files:
            selftests.copy(source, path)
        git.commit(f"{PREFIX}{subject}\n\n{_body(about, [source for source, _ in files])}")
        about = ""
    selftests.callers()
    git.commit(f"{PREFIX}let kselftest run the tests\n\n{_body(CALLERS, [])}")
    if kunit := [p for p in wanted if patches.is_kunit(p)]:  # they ask the tests' rule
        git("am", "-q", *kunit)
    git("checkout", "-qb", "cocci")
    to = git.dir / "scripts/coccinelle/api" / COCCI.name
    to.parent.mkdir(parents=True)
    shutil.copy(COCCI, to)
    git.commit(f"coccinelle: api: find MMU notifiers that break the rule\n\n{_body(RULE, [])}")


def _groups(selftests: Selftests) -> list[tuple[str, list[tuple[pathlib.Path, str]]]]:
    """The subject of each patch with tests, and what of sources() is in it"""
    table = TOP / "intree/tests-series"
    left, groups = selftests.sources(), []
    for line in table.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        subject, _, words = line.partition("\t")
        names = set(words.split())
        files = [f for f in left if names & {f[0].name, f[0].stem}]
        missing = names - {n for f in files for n in (f[0].name, f[0].stem)}
        if missing:
            raise Error(f"{table}: no file is named {' '.join(sorted(missing))}")
        groups.append((subject, files))
        left = [f for f in left if f not in files]
    if left:
        raise Error(f"{table} has no patch for "
                    + " ".join(str(source.relative_to(TOP)) for source, _ in left))
    return groups


def _body(about: str, sources: list[pathlib.Path]) -> str:
    """What the files say of themselves, after what there is to say about all"""
    comments = {str(s.relative_to(TOP)): _comment(s) for s in sources if _comment(s)}
    if sources and not comments:  # what its header says came before it
        header = sources[0].with_suffix(".h")
        comments = {"": f"What {header.relative_to(TOP)} declares:\n\n{_comment(header)}"}
    parts = [about, *(f"{name}:\n\n{text}" if len(comments) > 1 else text
                      for name, text in comments.items())]
    return "\n\n".join(_wrapped(p) for text in parts for p in re.split(r"\n{2,}", text) if p)


def _comment(source: pathlib.Path) -> str:
    """The one at the top of a file"""
    found = COMMENT.match(source.read_text())
    return re.sub(r"^ \* ?", "", found[1], flags=re.M) if found else ""


def _wrapped(paragraph: str) -> str:
    """To the width of a commit's message; what is indented or a table keeps its lines."""
    lines: list[str] = []
    for table, run in itertools.groupby(
            paragraph.splitlines(), lambda line: line[:1].isspace() or "\t" in line):
        words = [" ".join(line.split()) for line in run]
        for text in words if table else [" ".join(words)]:
            lines += textwrap.wrap(text, 72, initial_indent=" " * 2 * table,
                                   subsequent_indent=" " * 6 * table,
                                   break_on_hyphens=False)
    return "\n".join(lines)


def _format(git: Git, tree: pathlib.Path, to: pathlib.Path, branch: str, since: str,
            on: str) -> None:
    git("checkout", "-q", branch)
    text = (patches.PATCHES / f"cover-letter-{branch}").read_text()
    cover = "\n\n".join(_wrapped(p) for p in text.split("\n\n"))
    where = "" if on else f", as in Debian's linux-source {tree.name}"
    git("config", f"branch.{branch}.description",
        f"{cover}\n\nBased on Linux {'.'.join(patches.version(tree))}{where}.\n")
    git("format-patch", "-q", "--cover-letter", "--cover-from-description=subject",
        "--zero-commit", "--no-signature", "-o", to / branch,
        *_recipients(git, tree, since), f"{since}..{branch}")
    if on:  # no series needs another, so all have the same
        with open(to / branch / "0000-cover-letter.patch", "a", encoding="utf-8") as letter:
            letter.write(f"base-commit: {on}\n")


def _recipients(git: Git, tree: pathlib.Path, since: str) -> list[str]:
    """To the maintainers, and a copy for reviewers and lists, as the tree says of the
    files that change and of the directories that new ones are in"""
    names = git("diff", "--name-only", since).splitlines()
    files = {n if (tree / n).exists() else os.path.dirname(n) for n in names}
    done = patches.run("env", "-C", git.dir, tree / "scripts/get_maintainer.pl", "--no-tree",
                       "--nogit", "--nogit-fallback", "--nokeywords", "--roles",
                       "--norolestats", "-f",
                       *sorted(files))
    found = re.findall(r"^(.*) \((\w+)[^()]*(?:\([^()]*\)[^()]*)*\)$", done.stdout, re.M)
    if done.returncode or len(found) != len(done.stdout.splitlines()):
        raise Error(f"get_maintainer.pl: {done.stdout}")
    options = {True: "--to", False: "--cc"}
    return [f"{options[role in ('maintainer', 'supporter')]}="
            f"{email.utils.formataddr(email.utils.parseaddr(who))}" for who, role in found]

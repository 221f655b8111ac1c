# SPDX-License-Identifier: GPL-2.0
"""The series of each base, patch by patch: after each of them what it touches builds, and
no tool says more about it than about the pristine file."""
import collections
import functools
import os
import re
import shutil
import unittest

from support import TOP, TempDir, add_tests, get_kernel, sh, take_long

CLANG = "clang-19"  # 7.2 wants 17.0.1
TIMEOUT = 1800      # of one make, on a slow host
# 0.6.4 has not what headers of 7.2 use: an operator (when that is missing, Kbuild leaves
# sparse out, with exit code 0), and the length of a string as a constant
SPARSE = "sparse -D__typeof_unqual__=__typeof__ '-D__builtin_strlen(s)=(sizeof(s)-1)'"
FILES = ("lib/test_hmm.c", "lib/test_hmm_uapi.h", "mm/mmu_notifier.c")

# A mistake for each tool, to see that each tool is asked at all
BAD_C = """
/**
 * dmirror_bad - described wrongly
 * @of_the_c_file: there is no such parameter
 */
static __used int dmirror_bad(int __user *p)
{
	int unused;

	unused = *p;
	return 0;
}
"""
BAD_H = """
/**
 * struct dmirror_bad - described wrongly
 * @of_the_header: there is no such member
 */
struct dmirror_bad {
	int member;
};
"""
TOLD_BY = {
    "gcc, W=1": r"test_hmm\.c: .*set but not used",
    "sparse": r"test_hmm\.c: .*dereference of noderef expression",
    "kernel-doc": r"test_hmm\.c: .*of_the_c_file",
    # 6.1's says nothing of a member that there is not
    "kernel-doc of the header": r"test_hmm_uapi\.h: .*(of_the_header|'member' not desc)",
}


@functools.cache
def kernel(base):
    """The kernel directory of that base, built if need be."""
    return get_kernel(f"source:{base}").resolve()


def cache():
    home = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    return {"CCACHE_DIR": os.environ.get("CCACHE_DIR", f"{home}/hmm-notifier-tests/ccache")}


class Steps:
    """An external module that has all states of the files, each in a directory."""

    def __init__(self, test, base):
        self.test, self.base, self.dir = test, base, TempDir(test, "").path
        tree = self.dir / "tree"
        for name in FILES:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kernel(base) / "pristine" / name, tree / name)
        self.modules, self.objects = [], []
        self.add("pristine", FILES)
        series = TOP / "kernel-patches" / base
        for line in (series / "series").read_text().splitlines():
            r = sh("git", "apply", *(f"--include={f}" for f in FILES), series / line,
                   cwd=tree, env={"GIT_CEILING_DIRECTORIES": str(self.dir)})
            test.assertEqual(r.returncode, 0, f"{line}: {r.stdout}")
            text = (series / line).read_text()
            self.add(line[:4], [f for f in FILES if f"\n+++ b/{f}\n" in text])
        self.add("final", [])

    def add(self, step, touched):
        (self.dir / step).mkdir()
        for name in FILES:
            shutil.copy(self.dir / "tree" / name, self.dir / step)
        if any(f.startswith("lib/") for f in touched):
            self.modules.append(step)
        if "mm/mmu_notifier.c" in touched:
            self.objects.append(step)

    def add_bad(self):
        shutil.copytree(self.dir / "final", self.dir / "bad")
        for name, text in (("test_hmm.c", BAD_C), ("test_hmm_uapi.h", BAD_H)):
            with open(self.dir / "bad" / name, "a", encoding="ascii") as f:
                f.write(text)
        self.modules.append("bad")

    def make(self, build, *args):
        """Builds all that is listed; returns what was said of each step."""
        lines = ["ccflags-y := -I$(srctree)/mm"] # for mm/mmu_notifier.c
        for step in self.modules:
            lines += [f"obj-m += step_{step}.o", f"step_{step}-y := {step}/test_hmm.o"]
        lines += [f"always-y += {step}/mmu_notifier.o" for step in self.objects]
        (self.dir / "Kbuild").write_text("\n".join(lines) + "\n")
        r = sh("nice", "make", "-s", f"-j{os.cpu_count()}", "-C", build, f"M={self.dir}",
               "W=1", *args, "modules", timeout=TIMEOUT)
        self.test.assertEqual(r.returncode, 0, r.stdout)
        return self.said(r.stdout)

    def said(self, text):
        """{step: Counter of "file: message"}; the lines differ from step to step."""
        found = collections.defaultdict(collections.Counter)
        for line in text.splitlines():
            m = re.search(r"\b(pristine|final|bad|\d{4})/(\w+\.[ch]):\d+(?::\d+)?:? (.*)",
                          line)
            if m and re.search("warning|error", line, re.I):
                found[m[1]][f"{m[2]}: {m[3]}"] += 1
        return found

    def kernel_doc(self):
        """W=1 does not ask it of headers, nor 7.2's of an external module."""
        files = [f for step in self.modules for f in (self.dir / step).glob("test_hmm*.[ch]")]
        r = sh(kernel(self.base) / "src/scripts/kernel-doc", "-none", *files,
               env={"PYTHONDONTWRITEBYTECODE": "1"})
        return self.said(r.stdout)


class Said(unittest.TestCase):
    maxDiff = None

    def check(self, said, tools):
        new = {step: list(counts - said["pristine"]) for step, counts in said.items()
               if step != "bad"}
        self.assertEqual({step: lines for step, lines in new.items() if lines}, {})
        for tool in tools:
            self.assertRegex("\n".join(said["bad"]), TOLD_BY[tool], tool)


class EachPatch(Said):
    def each(self, base):
        take_long(self)
        steps = Steps(self, base)
        steps.add_bad()
        said = steps.make(kernel(base) / "build", "C=1", f"CHECK={SPARSE}")
        for step, counts in steps.kernel_doc().items():
            said[step] += counts
        self.check(said, TOLD_BY)


class Clang(Said):
    def first_and_last(self, base):
        """With the options of the kernel that was built, as far as clang has them."""
        take_long(self)
        steps = Steps(self, base)
        steps.modules = steps.objects = ["pristine", "final"]
        steps.add_bad()
        build = TempDir(self, "").path
        shutil.copy(kernel(base) / "config", build / ".config")
        shutil.copy(kernel(base) / "build/Module.symvers", build)
        for target in ("olddefconfig", "modules_prepare"):
            r = sh("nice", "make", "-s", f"-j{os.cpu_count()}", "-C", kernel(base) / "src",
                   f"O={build}", f"CC={CLANG}", "HOSTCC=ccache gcc", target,
                   env={"CCACHE_BASEDIR": str(build), "CCACHE_NOHASHDIR": "1", **cache()},
                   timeout=TIMEOUT)
            self.assertEqual(r.returncode, 0, r.stdout)
        self.check(steps.make(build, f"CC={CLANG}"), ["gcc, W=1"])


add_tests(EachPatch, EachPatch.each)
add_tests(Clang, Clang.first_and_last)

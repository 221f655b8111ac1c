# SPDX-License-Identifier: GPL-2.0
"""The sources themselves: every tool at zero reports."""
import functools
import py_compile
import re
import shutil
import subprocess
import unittest

from support import TOP, TempDir, kernel_dir, sh


# What checkpatch is not asked about, and why.
EVERYWHERE = [
    "OPEN_ENDED_LINE",    # an open bracket reads better than a line past the margin
    "FILE_PATH_CHANGES",  # MAINTAINERS has *hmm* already
    "UNKNOWN_COMMIT_ID",  # it has no kernel history to look in
]
USER_SPACE = [
    # there is no such thing in user space
    "ARRAY_SIZE", "PREFER_KERNEL_TYPES", "PREFER_DEFINED_ATTRIBUTE_MACRO", "STRCPY",
    "BIT_MACRO",
    "VOLATILE",           # sig_atomic_t, and memory that is touched for its effect
    "CAMELCASE",          # _Static_assert
    "AVOID_BUG",          # names that begin with BUG_
    # FIXTURE_VARIANT_ADD tables are written by macros that are no expressions, and
    # the harness's SKIP(return, ...) is flow control
    "COMPLEX_MACRO", "MULTISTATEMENT_MACRO_USE_DO_WHILE", "MACRO_ARG_REUSE",
    "TRAILING_SEMICOLON",
    "MACRO_WITH_FLOW_CONTROL",
]


@functools.cache
def files():
    """The project's text files, those not yet committed too."""
    out = subprocess.run(["git", "-C", str(TOP), "ls-files", "-co", "--exclude-standard"],
                         capture_output=True, text=True, check=False).stdout.split("\n")
    found = [TOP / f for f in out if f and (TOP / f).is_file()]
    return found or [p for p in TOP.rglob("*")
                     if p.is_file() and "results" not in p.parts and ".git" not in p.parts]


def ours(*suffixes):
    return [f for f in files() if f.suffix in suffixes]


def shell_scripts():
    def is_shell(path):
        with open(path, "rb") as f:
            first = f.readline()
        return first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash"))
    return [f for f in files() if f.suffix == ".sh" or is_shell(f)]


class Text(unittest.TestCase):
    def test_each_file_says_its_license(self):
        without = [str(f) for f in files() if f.suffix in (".c", ".h", ".py", ".sh")
                   and "SPDX-License-Identifier: GPL-2.0" not in f.read_text()[:200]]
        self.assertEqual(without, [])

    def test_files_are_short(self):
        long = [str(f) for f in ours(".c", ".h", ".py", ".sh")
                if len(f.read_text().splitlines()) > 500]
        self.assertEqual(long, [])

    def test_no_blanks_at_the_end_of_lines(self):
        bad = [f"{f}:{n}" for f in ours(".c", ".h", ".py", ".sh")
               for n, line in enumerate(f.read_text().split("\n"), 1)
               if line != line.rstrip()]
        self.assertEqual(bad, [])

    def test_python_compiles(self):
        out = TempDir(self).path
        for f in ours(".py"):
            py_compile.compile(str(f), cfile=str(out / "x.pyc"), doraise=True)


class Tools(unittest.TestCase):
    def assert_silent(self, *cmd, cwd=TOP):
        r = sh(*cmd, cwd=cwd)
        self.assertEqual((r.returncode, r.stdout), (0, ""))

    def test_shellcheck(self):
        self.assert_silent("shellcheck", "-x", *shell_scripts())

    def test_mypy_on_the_runner(self):
        r = sh("mypy", "--strict", "--no-error-summary", "--python-version", "3.9",
               f"--cache-dir={TempDir(self).path}", "runner", "static", "ci", cwd=TOP)
        self.assertEqual((r.returncode, r.stdout), (0, ""))

    def test_mypy_on_what_calls_the_runner(self):
        """Some of it runs on demand: nothing else would say that a call is wrong."""
        dirs = [TOP / "tests", *(TOP / "tests" / name for name in ("proof", "cost", "shapes"))]
        r = sh("env", f"MYPYPATH={TOP}:{':'.join(map(str, dirs))}", "mypy",
               "--ignore-missing-imports", "--check-untyped-defs", "--python-version", "3.9",
               f"--cache-dir={TempDir(self).path}", *(f for d in dirs for f in d.glob("*.py")),
               cwd=TOP)
        self.assertRegex(r.stdout, r"\(checked \d+ source files\)$")
        self.assertEqual(re.findall(r".*\[call-arg\]", r.stdout), [])

    def test_flake8_on_the_runner(self):
        self.assert_silent("flake8", "--isolated", "--max-line-length=95", "runner",
                           "static", "ci")
        # names that are not defined, or not used
        self.assert_silent("flake8", "--isolated", "--select=F", "tests", "intree")

    def checkpatch(self, ignore, *args):
        script = kernel_dir() / "src/scripts/checkpatch.pl"
        r = sh(script, "--no-tree", "--strict", "--terse", "--no-summary",
               "--ignore", ",".join(ignore), *args, cwd=TOP)
        for litter in TOP.glob(".checkpatch-camelcase*"):
            litter.unlink()
        # FIXTURE_VARIANT(x) *v is a declaration, not a product
        said = [li for li in r.stdout.splitlines()
                if "spaces preferred around that '*'" not in li]
        self.assertEqual(said, [])

    def test_checkpatch_on_c(self):
        # marks.h declares a function of any argument; tests/static stands in for the
        # kernel, whose headers have typedefs and extern
        self.checkpatch(EVERYWHERE + USER_SPACE, "-f",
                        *[f for f in ours(".c", ".h")
                          if f.name not in ("misbehave.c", "marks.h") and
                          TOP / "tests/static" not in f.parents])

    def test_checkpatch_on_patches(self):
        self.checkpatch(EVERYWHERE,
                        *[f for f in ours(".patch") if "mutants" not in f.parts])

    def compile_all(self, cc):
        out = TempDir(self, "").path
        for src in sorted((TOP / "runner/guest").glob("*.c")):
            self.assert_silent(cc, "-O2", "-Wall", "-Wextra", "-Wmissing-prototypes",
                               "-Wshadow", "-Werror", "-c", src, "-o", out / "x.o")
        module = out / "lib"
        self.patched(module)
        for programs in ("selftests", "tests/device"):
            r = sh("make", "-C", TOP / programs, f"CC={cc}", f"OUTPUT={out}",
                   f"KERNEL_SRC={kernel_dir()}/src", f"TEST_HMM={module}/lib")
            self.assertEqual(r.returncode, 0, r.stdout)

    def patched(self, where):
        """test_hmm with the series of this base, pushed by quilt without fuzz."""
        base = (kernel_dir() / "base").read_text().strip()
        series = TOP / "kernel-patches" / base
        (where / "lib").mkdir(parents=True)
        for f in (kernel_dir() / "src/lib").glob("test_hmm*"):
            (where / "lib" / f.name).write_bytes(f.read_bytes())
        for line in (series / "series").read_text().splitlines():
            name = line.partition("#")[0].strip()
            if name:
                r = sh("git", "apply", "--include=lib/test_hmm*", series / name, cwd=where)
                self.assertEqual(r.returncode, 0, f"{name}: {r.stdout}")

    def test_gcc(self):
        self.compile_all("gcc")

    def test_clang(self):
        self.compile_all("clang")

    def test_series_applies_without_fuzz(self):
        """Patch by patch, to the pristine files that they touch and we have."""
        base = (kernel_dir() / "base").read_text().strip()
        where = TempDir(self, "").path
        sh("cp", "-r", "--no-preserve=mode", f"{kernel_dir()}/src/.", where)
        series = TOP / "kernel-patches" / base
        patches = [p for p in (series / "series").read_text().split()
                   if all((where / line[6:]).exists()
                          for line in (series / p).read_text().splitlines()
                          if line.startswith("--- a/"))]
        self.assertIn("0012-lib-test_hmm-notifier-fail-points.patch", patches)
        (where / "series").write_text("\n".join(patches))
        env = {"QUILT_PATCHES": str(series), "QUILT_PC": ".pc",
               "QUILT_SERIES": str(where / "series")}
        r = sh("quilt", "push", "-a", "--fuzz=0", cwd=where, env=env)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertNotIn("fuzz", r.stdout)

    def kbuild(self, where, kbuild, *args):
        """What make says of an external module in that directory, and its exit code."""
        (where / "Kbuild").write_text(kbuild)
        r = sh("make", "-s", "-C", kernel_dir() / "build", f"M={where}",
               "CONFIG_DEBUG_INFO_BTF_MODULES=", *args, "modules")
        return r.stdout, r.returncode

    def swap(self, path, first, second):
        text = path.read_text()
        for name in (first, second):
            self.assertEqual(text.count(f"\t{name},\n"), 1, name)
        text = text.replace(f"\t{first},\n", "\t@,\n")
        text = text.replace(f"\t{second},\n", f"\t{first},\n")
        path.write_text(text.replace("\t@,\n", f"\t{second},\n"))

    def test_events_are_the_kernels(self):
        """The module does not build with a header that names another event."""
        where = TempDir(self, "").path
        self.patched(where)
        self.swap(where / "lib/test_hmm_uapi.h",
                  "HMM_DMIRROR_EVENT_CLEAR", "HMM_DMIRROR_EVENT_MIGRATE")
        said, code = self.kbuild(where / "lib", "obj-m := test_hmm.o\n")
        self.assertNotEqual(code, 0)
        self.assertIn("BUILD_BUG_ON failed: (int)HMM_DMIRROR_EVENT_CLEAR", said)

    def test_kinds_are_those_of_the_rule(self):
        """Nor lib/ with one that numbers the kinds in another way."""
        where = TempDir(self, "").path
        self.patched(where)
        compiler = ["gcc", "-std=gnu11", "-D_GNU_SOURCE", f"-I{TOP}/lib",
                    f"-I{where}/lib", "-c", TOP / "lib/core/dmirror.c", "-o", where / "x.o"]
        self.assert_silent(*compiler)
        self.swap(where / "lib/test_hmm_uapi.h",
                  "HMM_DMIRROR_HLIST_END", "HMM_DMIRROR_IDLE")
        r = sh(*compiler)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("SAME_AS_RULE(HLIST_END,", r.stdout)

    def test_kernel_compiles_the_rule(self):
        """As rule.h says; without a word, with the kernel's own flags."""
        where = TempDir(self, "").path
        (where / "core").mkdir()
        for name in ("core/rule.c", "core/rule.h"):
            shutil.copy(TOP / "lib" / name, where / name)
        self.assertEqual(self.kbuild(where, "always-y := core/rule.o\nccflags-y := -I$(src)\n",
                                     "W=1"), ("", 0))
        self.assertTrue((where / "core/rule.o").stat().st_size)


if __name__ == "__main__":
    unittest.main()

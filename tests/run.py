#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""run.py [NAME...] - the project's own tests: all of tests/test_*.py, or those whose
file, class or method has one of the names in it.  The last line has the counts."""
import os
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


class Result(unittest.TestResult):
    passed = 0

    def say(self, test, what, more=""):
        took = time.monotonic() - self.began
        print(f"{what:4} {test.id()} ({took:.1f} s){more}", flush=True)

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.passed += 1
        self.say(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skip", f": {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, "FAIL", "\n" + self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            bad = self.failures if issubclass(err[0], test.failureException) \
                else self.errors
            self.say(subtest, "FAIL", "\n" + bad[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.began = getattr(self, "began", time.monotonic())
        self.say(test, "FAIL", "\n" + self.errors[-1][1])


def each(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from each(item)
        else:
            yield item


def main():
    os.chdir(HERE.parent)
    found = unittest.TestLoader().discover(str(HERE), "test_*.py")
    names = sys.argv[1:]
    chosen = [t for t in each(found) if not names or any(n in t.id() for n in names)]
    result = Result()
    unittest.TestSuite(chosen).run(result)
    bad = result.failures + result.errors
    # once more, shortly: of a long log, what is kept is often its end
    for test, text in bad:
        print(f"FAIL {test.id()}:", *text.splitlines()[-15:], sep="\n  ")
    failed = len(bad)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())

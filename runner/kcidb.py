# SPDX-License-Identifier: GPL-2.0
"""kcidb.json, a run as KernelCI's database takes it: KCIDB schema 5.3.

A test has one path, whatever the kernel, so that its results can be followed.  A known bug
is what that database calls an issue: the test failed, and an incident says of what.  Who
sends it puts the name under which he is known there in the place of ORIGIN.
"""
from __future__ import annotations

import hashlib
import json
import pathlib
import re
import typing
from collections.abc import Mapping, Sequence

from runner import files, klog

Facts = Mapping[str, typing.Any]
Object = typing.Dict[str, typing.Any]
ORIGIN = "hmm_notifier"
SUITE = "kselftest.mm.hmm_notifier"
EXCERPT = 16384
KNOWN_BUG = "known bug: "
# What is no test, and says nothing of the kernel
OUR_OWN = {"results", "ktap"}
VERDICT = {"pass": "PASS", "fail": "FAIL", "nothing": "MISS"}


def text(value: object) -> str:
    return str(value).replace("\0", "?")


def path(name: str) -> str:
    words = re.split(r"[.:]", name.removeprefix("hmm_notifier_"))
    suite = [] if words[0] == "kunit" else [SUITE]
    return ".".join([*suite, *(re.sub(r"[^\w-]", "_", w, flags=re.A) for w in words if w)])


def status(test: Facts) -> str:
    result, reason = test["result"], test["reason"]
    if result == "fail" and reason.startswith("did not run: "):
        return "MISS"
    if result == "fail" and test["name"] in OUR_OWN:
        return "ERROR"
    return {"pass": "PASS", "skip": "SKIP"}.get(result, "FAIL")


class Report:
    def __init__(self, meta: Facts, boot: Facts, tests: Sequence[Facts],
                 sections: Mapping[str, klog.Section]):
        self.meta, self.tests, self.sections = meta, tests, sections
        # no two runs take the same time in all tests
        self.run = hashlib.sha256(json.dumps([dict(meta), dict(boot), [
            [t["name"], t["result"], t["seconds"]] for t in tests]]).encode()).hexdigest()[:16]

    def new(self, *words: object, **more: object) -> Object:
        return {"id": text(":".join(map(str, (ORIGIN, *words)))), "origin": ORIGIN, **more}

    def checkout(self) -> Object:
        kernel = self.meta.get("kernel")
        return self.new(kernel, comment=text(self.meta.get("origin")), valid=True)

    def build(self) -> Object:
        arch = self.meta.get("arch")
        return self.new(self.meta.get("kernel"), arch, status="PASS",
                        checkout_id=self.checkout()["id"],
                        architecture=re.sub(r"[^a-z0-9_]", "_", str(arch)))

    def test(self, name: str, state: str, **more: object) -> Object:
        where = f"{self.meta.get('spec')} in QEMU ({self.meta.get('accel')})"
        return self.new(self.run, name, build_id=self.build()["id"], path=path(name),
                        status=state, environment={"comment": text(where)}, **more)

    def of(self, test: Facts) -> Object:
        more: Object = {}
        if test["seconds"] is not None:
            more["duration"] = test["seconds"]
        if test["reason"]:
            more["comment"] = text(test["reason"])
        if test["result"] in ("fail", "known_bug"):
            section = self.sections.get(test["name"])
            said = "\n".join([*test["log"], *(section.lines if section else [])])
            more["log_excerpt"] = text(said[-EXCERPT:])
        return self.test(test["name"], status(test), **more)

    def bug(self, subject: str) -> Object:
        return self.new("bug", subject, version=1, report_subject=text(subject),
                        culprit={"code": True})

    def incidents(self) -> list[Object]:
        return [self.new(self.run, "bug", t["name"], issue_version=1, present=True,
                         issue_id=self.bug(t["reason"].removeprefix(KNOWN_BUG))["id"],
                         test_id=self.test(t["name"], "FAIL")["id"])
                for t in self.tests if t["result"] == "known_bug"]

    def all(self, verdict: str) -> Object:
        bugs = dict.fromkeys(t["reason"].removeprefix(KNOWN_BUG) for t in self.tests
                             if t["result"] == "known_bug")
        whole = self.test("", VERDICT[verdict], misc={"suite": self.meta.get("suite")})
        return {"version": {"major": 5, "minor": 3}, "checkouts": [self.checkout()],
                "builds": [self.build()], "tests": [whole, *map(self.of, self.tests)],
                "issues": [self.bug(subject) for subject in bugs],
                "incidents": self.incidents()}


def write(to: pathlib.Path, meta: Facts, boot: Facts, tests: Sequence[Facts],
          sections: Mapping[str, klog.Section], verdict: str) -> None:
    files.write_json(to, Report(meta, boot, tests, sections).all(verdict))

# SPDX-License-Identifier: GPL-2.0
"""junit.xml, so that Jenkins' junit-10.xsd, GitLab and pytest's readers take it.

Jenkins wants "errors" beside "failures", and times with three decimals at most.  GitLab
shows the text of <failure>, not its message, and takes the first of two tests with the
same names.
"""
from __future__ import annotations

import pathlib
import re
import typing
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from runner import files, klog

Facts = Mapping[str, typing.Any]


def clean(text: str) -> str:
    """XML has no way to say most control characters."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def seconds(value: object) -> str:
    return f"{value if isinstance(value, (int, float)) else 0:.3f}"


def add_case(suite: ET.Element, test: Facts, failed: bool,
             section: klog.Section | None) -> str:
    """Returns what it counts as."""
    program, _, rest = test["name"].partition(":")
    case = ET.SubElement(suite, "testcase", classname=clean(program),
                         name=clean(rest or program), time=seconds(test["seconds"]))
    if failed:
        reason = clean(test["reason"])
        ET.SubElement(case, "failure", message=reason, type=test["result"]).text = reason
        ET.SubElement(case, "system-out").text = clean(
            "\n".join([*test["log"], *(section.lines if section else [])]))
        return "failures"
    if test["result"] != "pass":
        ET.SubElement(case, "skipped", message=clean(test["reason"]))
        return "skipped"
    return "passed"


def write(to: pathlib.Path, meta: Facts, boot: Facts, tests: Sequence[Facts],
          sections: Mapping[str, klog.Section], strict: bool) -> None:
    bad = {"fail", "known_bug"} if strict else {"fail"}
    suite = ET.Element("testsuite", name=clean(f"hmm-notifier {meta.get('kernel')}"),
                       time=seconds(boot.get("seconds")))
    counted = [add_case(suite, t, t["result"] in bad, sections.get(t["name"]))
               for t in tests]
    suite.set("tests", str(len(tests)))
    for what in ("failures", "errors", "skipped"):
        suite.set(what, str(counted.count(what)))
    files.write_text(to, ET.tostring(suite, encoding="utf-8", xml_declaration=True).decode())

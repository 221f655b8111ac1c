# SPDX-License-Identifier: GPL-2.0
"""junit.xml, by the rules of those who read it."""
import json
import re
import unittest
import xml.etree.ElementTree as ET

from goodrun import account
from judged import LAST, PROGRAM, Judged, changed, good_kmsg, good_ktap

# What Jenkins' junit-10.xsd has of what we write: (required attributes, others, children)
JENKINS = {
    "testsuite": ("name tests failures errors", "time skipped", "testcase"),
    "testcase": ("name", "time classname", "skipped failure error system-out"),
    "failure": ("", "type message", ""), "skipped": ("", "type message", ""),
    "system-out": ("", "", ""),
}
SECONDS = re.compile(r"[0-9]+(\.[0-9]{1,3})?")


def wrong(element):
    """What that schema would refuse"""
    if element.tag not in JENKINS:
        return [f"no element {element.tag}"]
    required, others, children = (words.split() for words in JENKINS[element.tag])
    found = [f"{element.tag} lacks {a}" for a in required if a not in element.attrib]
    found += [f"{element.tag} has {a}" for a in element.attrib if a not in required + others]
    if "time" in element.attrib and not SECONDS.fullmatch(element.get("time")):
        found.append(f"time {element.get('time')}")
    for child in element:
        found += wrong(child)
        if child.tag not in children:
            found.append(f"{child.tag} in {element.tag}")
    return found


def failing(test, *args):
    said = "# # x.c:60:two:Expected <1> & \x01 == n (2)"
    kmsg = changed(good_kmsg(), (12, account(hlist=1)), (12, account(hlist=1)))
    ktap = changed(good_ktap(), LAST, said, f"# not ok 4 {LAST.split()[-1]}")
    return Judged(test, ktap, kmsg, *args, boot_json=json.dumps(
        {"ended": "power-off", "detail": "", "seconds": 12.3456789}))


class Junit(unittest.TestCase):
    def read(self, judged):
        return ET.parse(judged.dir / "junit.xml").getroot()

    def test_jenkins_takes_it(self):
        for j in (Judged(self), failing(self), failing(self, "--strict"),
                  Judged(self, [], [], ended="no-boot")):
            suite = self.read(j)
            self.assertEqual(wrong(suite), [])
            for what, tag in (("tests", "testcase"), ("failures", "failure"),
                              ("errors", "error"), ("skipped", "skipped")):
                self.assertEqual(suite.get(what), str(len(list(suite.iter(tag)))), what)
            said = json.loads((j.dir / "summary.json").read_text())
            bugs = said["known_bugs"]
            self.assertEqual(int(suite.get("failures")),
                             said["failed"] + (bugs if said["strict"] else 0))
            self.assertEqual(int(suite.get("skipped")),
                             said["skipped"] + (0 if said["strict"] else bugs))

    def test_that_schema_refuses(self):
        for text in ('<testsuite name="a" tests="0" failures="0"/>',
                     '<testsuite name="a" tests="0" failures="0" errors="0" time="1.2345"/>',
                     '<testsuite name="a" tests="1" failures="0" errors="0"><failure/></testsuite>'):
            self.assertNotEqual(wrong(ET.fromstring(text)), [], text)

    def test_gitlab_shows_why(self):
        """It shows the text of a failure, and knows a test by both of its names."""
        suite = self.read(failing(self))
        case, = (c for c in suite if c.find("failure") is not None)
        self.assertIn("Expected <1> & ? == n (2)", case.find("failure").text)
        names = [(c.get("classname"), c.get("name")) for c in suite]
        self.assertEqual(len(set(names)), len(names))
        self.assertIn((PROGRAM, "f.w.two"), names)


class Names(unittest.TestCase):
    def test_uploads_take_all_files(self):
        """GitHub's refuses these; a name that Windows has not is refused as well."""
        for j in (Judged(self), failing(self)):
            files = [p.name for p in j.dir.rglob("*")]
            self.assertIn(f"{PROGRAM}_f.v.one.log", files)
            self.assertEqual([n for n in files if re.search(r'["<>:|*?\r\n\\]', n)], [])


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0
"""summary.json is what its schema says."""
import json
import unittest

import jsonschema
from goodrun import kmsg
from judged import TESTS, Judged, good_ktap
from support import TOP, TempDir
from test_junit import failing

from runner import results

SCHEMA = json.loads((TOP / "runner/summary.schema.json").read_text())
CHECK = jsonschema.Draft7Validator(SCHEMA)


class Summary(unittest.TestCase):
    def assert_valid(self, summary):
        self.assertEqual([e.message for e in CHECK.iter_errors(summary)], [])
        self.assertEqual(set(summary) - set(SCHEMA["properties"]), set(), "not documented")

    def test_schema_is_one(self):
        jsonschema.Draft7Validator.check_schema(SCHEMA)

    def test_of_what_was_judged(self):
        skipped = good_ktap(**{name: " # SKIP no device here" for name in TESTS})
        for verdict, j in (("pass", Judged(self)), ("fail", failing(self)),
                           ("fail", Judged(self, None, None, "--strict")),
                           ("nothing", Judged(self, skipped, kmsg({}))),
                           ("fail", Judged(self, [], [], ended=None))):
            self.assertEqual(j.summary["verdict"], verdict)
            self.assert_valid(j.summary)
            for t in j.summary["tests"]:
                keys = SCHEMA["properties"]["tests"]["items"]["properties"]
                self.assertEqual(set(t), set(keys))

    def test_of_what_was_not(self):
        to = results.Results(TempDir(self).path)
        self.assert_valid(to.read_summary())
        to.put_off("error", "a full disk")
        self.assertEqual(to.read_summary()["verdict"], "error")
        self.assert_valid(to.read_summary())

    def test_refuses_what_is_none(self):
        good = Judged(self).summary
        for change in ({"format": 2}, {"verdict": "maybe"}, {"passed": -1}, {"tests": [{}]},
                       {"verdict": "error"}):
            self.assertFalse(CHECK.is_valid({**good, **change}), change)
        for gone in ("format", "verdict", "failed", "tests"):
            self.assertFalse(CHECK.is_valid({k: v for k, v in good.items() if k != gone}), gone)


if __name__ == "__main__":
    unittest.main()

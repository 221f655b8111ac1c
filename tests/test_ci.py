# SPDX-License-Identifier: GPL-2.0
"""What ci/ has for the engines of others is as they want it."""
import os
import pathlib
import re
import shutil
import unittest

import yaml
from support import TOP, TempDir, sh

KERNELCI = TOP / "ci/kernelci/hmm-notifier.yaml"
GITHUB, GITLAB = TOP / "ci/github/hmm-notifier.yml", TOP / "ci/gitlab-ci.yml"
# What GitLab's schema allows of the keys of a job, as far as we use them
GITLAB_JOB = {"image", "services", "cache", "script", "artifacts"}


def load(path):
    return yaml.safe_load(path.read_text())


class Lint(unittest.TestCase):
    def test_yaml(self):
        r = sh("yamllint", "-s", "-c", TOP / "ci/yamllint", TOP / "ci")
        self.assertEqual((r.returncode, r.stdout), (0, ""))

    @unittest.skipUnless(shutil.which("actionlint"), "no actionlint here")
    def test_actionlint(self):
        r = sh("actionlint", GITHUB)
        self.assertEqual((r.returncode, r.stdout), (0, ""))


class Containers(unittest.TestCase):
    """Both run the container of the README, with the cache where it looks for it."""

    def github(self):
        job, = load(GITHUB)["jobs"].values()
        return job["steps"]

    def commands(self):
        job, = load(GITLAB).values()
        return [s["run"] for s in self.github() if s.get("run", "").startswith("docker")], \
            [line for line in job["script"] if line.startswith("docker")]

    def test_the_same_commands(self):
        github, gitlab = self.commands()
        self.assertEqual(github, gitlab)
        self.assertEqual([c.split()[1] for c in github], ["build", "run"])

    def test_what_the_container_has(self):
        home = "/root/.cache"  # place.py without XDG_CACHE_HOME, as root
        self.assertIn(f"hmm-notifier:{home}", (TOP / "README").read_text())
        workdir = re.search(r"^WORKDIR (.*)", (TOP / "Containerfile").read_text(), re.M)[1]
        run = self.commands()[0][1]
        self.assertIn(f'"$PWD/cache:{home}"', run)
        self.assertIn(f'"$PWD/results:{workdir}/results"', run)

    def test_docker_finds_it(self):
        """docker, unlike podman, looks for a Dockerfile alone."""
        found = [TOP / name for name in ("Dockerfile",) if (TOP / name).exists()]
        build = self.commands()[0][0]
        self.assertTrue(found or "-f Containerfile" in build, build)

    def test_what_they_keep(self):
        kept = [s["with"]["path"] for s in self.github() if "with" in s]
        self.assertEqual(kept, ["cache", "results"])
        job, = load(GITLAB).values()
        self.assertEqual(set(job), GITLAB_JOB)
        self.assertEqual(job["cache"]["paths"], ["cache"])
        self.assertEqual((job["artifacts"]["when"], job["artifacts"]["paths"]),
                         ("always", ["results"]))
        last = [s for s in self.github() if "upload-artifact" in s.get("uses", "")]
        self.assertEqual([s["if"] for s in last], ["always()"])


class KernelCI(unittest.TestCase):
    """The rules of kernelci-pipeline's tests/validate_yaml.py, on what is ours alone."""

    def test_names_what_is_there(self):
        c = load(KERNELCI)
        self.assertEqual({b["tree"] for b in c["build_configs"].values()}, set(c["trees"]))
        for build in c["build_configs"].values():
            self.assertTrue(build["branch"])
        self.assertEqual([e["job"] for e in c["scheduler"]], list(c["jobs"]))
        for entry in c["scheduler"]:
            self.assertLessEqual({"channel", "kind", "state"}, set(entry["event"]), entry)
            self.assertTrue(entry["runtime"]["name"])
            self.assertIn(entry["event"].get("name", list(c["jobs"])[0]), c["jobs"])

    def test_jobs(self):
        c = load(KERNELCI)
        kinds = {name: job["kind"] for name, job in c["jobs"].items()}
        self.assertEqual(sorted(kinds.values()), ["job", "kbuild"])
        for job in c["jobs"].values():
            self.assertEqual(job["rules"]["tree"], list(c["trees"]))
            if job["kind"] == "job":
                self.assertEqual(job["template"], "generic.jinja2")
                self.assertEqual(job["params"]["test_method"], "kselftest")
                self.assertNotIn("fragments", job["params"])
                self.assertTrue(job["kcidb_test_suite"])
            else:
                self.assertIn("kselftest", job["params"]["fragments"])

    @unittest.skipUnless(os.environ.get("KERNELCI_PIPELINE"),
                         "KERNELCI_PIPELINE is no checkout of kernelci-pipeline")
    def test_pipeline_takes_it(self):
        pipeline = pathlib.Path(os.environ["KERNELCI_PIPELINE"])
        config = TempDir(self).path / "config"
        shutil.copytree(pipeline / "config", config)
        shutil.copy(KERNELCI, config)
        r = sh("/usr/bin/python3", pipeline / "tests/validate_yaml.py", "-d", config)
        self.assertEqual(r.returncode, 0, r.stdout[-500:])
        self.assertIn("All yaml files are valid", r.stdout)


class Kselftest(unittest.TestCase):
    """The README's check, on what upstream's runner prints: its exit code is always 0."""
    END = "ok 1 selftests: mm: run_vmtests.sh"
    PASSED = ("TAP version 13", "1..1", "# selftests: mm: run_vmtests.sh", "# # 1..3",
              "# # ok 1 hmm_notifier_contract", "# # ok 2 hmm_notifier_device",
              "# # ok 3 hmm_notifier_errno # SKIP")

    def check(self, *lines):
        command = re.search("^    (awk .*) log$", (TOP / "README").read_text(), re.M)[1]
        log = TempDir(self, "").path / "log"
        log.write_text("".join(f"{line}\n" for line in lines))
        return sh("sh", "-c", f"{command} {log}").returncode

    def test_check(self):
        self.assertEqual(self.check(*self.PASSED, self.END), 0)
        for lines in (
                (), self.PASSED, (self.END,),
                ("# # # 1..0 # SKIP no test_hmm (CONFIG_TEST_HMM)", f"{self.END} # SKIP"),
                (*self.PASSED[:4], self.PASSED[6], self.END),
                (*self.PASSED, "# # not ok 4 hmm_notifier_mmap", self.END),
                (*self.PASSED, "not ok 1 selftests: mm: run_vmtests.sh # TIMEOUT 300 seconds"),
                (*self.PASSED, "not ok 2 selftests: mm: ksft_hmm_notifier.sh # exit=1",
                 self.END)):
            self.assertEqual(self.check(*lines), 1, lines)


if __name__ == "__main__":
    unittest.main()

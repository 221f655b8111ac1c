# SPDX-License-Identifier: GPL-2.0
"""How pytest runs the project's own tests: what boots guests one after the other, the
rest beside it; each test with its time, and the counts in the last line."""
import os
import pathlib

import pytest

# These boot nothing and are soon done.  What is not named here shares one worker: guests
# have bounds in seconds, and two at once would be too slow for them.
NO_GUEST = {"test_apt", "test_callsites", "test_chosen", "test_ci", "test_compare",
            "test_describe", "test_fuzz_judge", "test_headline", "test_judge",
            "test_judge_claims", "test_judge_data", "test_junit", "test_kcidb",
            "test_layers", "test_linux", "test_packages", "test_page", "test_progress",
            "test_pytest", "test_shapes", "test_source", "test_static", "test_summary",
            "test_unit", "test_xen"}

# The tests name files from the top of the checkout.
os.chdir(pathlib.Path(__file__).resolve().parent.parent)


def needs_guest(item):
    return item.path.stem not in NO_GUEST


# Before xdist's own, which reads the mark.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in filter(needs_guest, items):
        item.add_marker(pytest.mark.xdist_group("guest"))
    # The long row begins at once.
    items.sort(key=needs_guest, reverse=True)


def pytest_report_teststatus(report):
    if report.when == "call" and report.passed:
        return "passed", ".", f"ok ({report.duration:.1f} s)"
    if report.failed and report.when != "collect":
        kind = "failed" if report.when == "call" else "error"
        return kind, "F", f"FAIL ({report.duration:.1f} s)"
    if report.skipped:
        return "skipped", "s", f"skip: {report.longrepr[2]}"
    return None


def counts(config):
    """(passed, failed, skipped); None in a worker, which reports nothing by itself"""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not reporter:
        return None
    passed, failed, error, skipped = (len(reporter.stats.get(what, ()))
                                      for what in ("passed", "failed", "error", "skipped"))
    return passed, failed + error, skipped


def pytest_sessionfinish(session):
    """Nothing passed: no success, even when nothing failed."""
    of = counts(session.config)
    if of and not of[0] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# After all that pytest itself has to say
def pytest_unconfigure(config):
    of = counts(config)
    if of and not config.option.collectonly:
        print("{} passed, {} failed, {} skipped".format(*of), flush=True)

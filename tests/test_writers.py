# SPDX-License-Identifier: GPL-2.0
"""Who in lib/ and selftests/ leaves something on a machine: one."""
import re
import unittest

from support import TOP
from test_source import ours


# What is left on a machine by whoever calls it, and a kill that may be of a group.
LEAVES = ("mount umount umount2 swapon swapoff mkdir mkdirat rmdir system popen creat "
          "init_module finit_module delete_module unshare setns mknod mknodat symlink link "
          "rename unlink truncate chmod chown mkostemp mkstemp sethostname reboot syslog "
          "setpriority sched_setattr shmget msgget semget mq_open shm_open "
          "kill killpg tgkill pidfd_send_signal quotactl acct sigqueue "
          "execl execlp execle execv execvp execvpe execve fexecve").split()
WRITERS = {
    "lib/core/ledger.c": None,               # the ledger itself
    "lib/core/machine_state.c": None,        # and who keeps it
    "lib/core/bounded.c": ["kill"],          # kill_task(), which looks at the pid first
    "lib/core/disk.c": ["execlp"],           # mke2fs on a disk of ours
    "lib/core/dmirror.c": ["open"],          # the device, whose state goes with the file
    "lib/core/kmsg.c": ["open"],             # the kernel's log
    "selftests/hmm_notifier_look.c": ["open"],  # the device, before anybody asks it to count
    "lib/change/changes_vma.c": ["execl"],     # this program once more
    "lib/core/victim.c": ["open"],           # /dev/null
    "lib/subject/subject.c": ["execvp"],     # the program that the user names
    "lib/subject/subject_change.c": ["open"],  # files of that process, and of its cgroup
    "lib/change/changes_reclaim.c": ["mkostemp", "unlink"],  # in a file system of ours
}


class MachineState(unittest.TestCase):
    """lib/core/ledger.c alone changes what outlives a process."""

    def calls(self, text):
        """The calls in C source that leave something"""
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
        found = {name for name in LEAVES
                 if re.search(rf"(?<![\w.>]){name}\(|\bSYS_{name}\b", text)}
        for args in re.findall(r"\bopen(?:at)?\(([^;]*?)\)", text, re.S):
            if re.search("O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|O_TRUNC", args):
                found.add("open")
        if re.search(r'\bf(?:re)?open\([^;]*?, "[^"]*[wa+]', text, re.S):
            found.add("fopen")
        return found

    def test_has_one_writer(self):
        for f in ours(".c", ".h"):
            name = str(f.relative_to(TOP))
            if not name.startswith(("lib/", "selftests/")):
                continue
            may = WRITERS.get(name, [])
            if may is not None:
                self.assertEqual(self.calls(f.read_text()) - set(may), set(), name)

    def test_finds_those_who_write(self):
        for line in ('fd = open("/proc/sys/vm/nr_hugepages",\n\t\t  O_WRONLY | O_CLOEXEC);',
                     'file = fopen("/sys/kernel/mm/ksm/run", "w");', "mkdir(PATH, 0700);",
                     "syscall(SYS_mount, a);", "if (kill(pid, SIGKILL))", "swapon(d, 0);"):
            self.assertTrue(self.calls(line), line)
        for line in ('open("/proc/swaps", O_RDONLY);', "/* mount(a) */", "kill_task(pid, 9);",
                     'fopen("/proc/stat", "re");', "stage->kill(ov);"):
            self.assertEqual(self.calls(line), set(), line)

    def test_script_changes_modules_only(self):
        text = (TOP / "intree/test_hmm_notifier.sh").read_text()
        self.assertEqual(re.findall(r">\s*/(?:sys|proc)\S*|\bsysctl\b|\bmount\b|\bswapon\b",
                                    text), [])


if __name__ == "__main__":
    unittest.main()

"""`reconic train` in processes of their own that need no second for their imports."""

import multiprocessing
import os
import sys

FORKS = multiprocessing.get_context("forkserver")  # imports once for many processes
FORKS.set_forkserver_preload(["reconic.train", "reconic.cli.train"])


class Forked:
    """`reconic train` in a process that has its imports behind it, like a Popen."""

    def __init__(self, argv, cwd):
        self._process = FORKS.Process(target=_main, args=(argv, cwd), daemon=True)
        self._process.start()
        self.kill = self._process.kill

    def poll(self):
        return self._process.exitcode

    def communicate(self):
        self._process.join()
        return "", f"exit status {self._process.exitcode}"


def _main(argv, cwd):
    os.chdir(cwd)
    from reconic.cli import main

    sys.exit(main(["train", *argv]))

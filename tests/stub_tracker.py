"""A tracker with the interface of Lightning's loggers, for the tests of what is passed on."""

MADE = []


class Stub:
    """Keeps its calls.

    Args:
        breaks: Name of a method that fails.
    """

    def __init__(self, breaks=None):
        self.breaks, self.calls = breaks, []
        MADE.append(self)

    def _call(self, name, *what):
        self.calls.append((name, *what))
        if name == self.breaks:
            raise OSError("no way to https://anna:s3cret@host/")

    def log_metrics(self, metrics, step=None):
        self._call("metrics", metrics, step)

    def log_hyperparams(self, params):
        self._call("hparams", params)

    def finalize(self, status):
        self._call("end", status)

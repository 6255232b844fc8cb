"""The ways a command ends badly: the request was wrong, the work failed, or the work was cut off and can go on."""


class KerasFTError(Exception):
    """An error of ours: its message is one line that a user can act on.

    `exit_code` is what the command line exits with; no traceback is shown unless `--debug` is given.
    """

    exit_code = 1


class RequestError(KerasFTError):
    """The request was wrong. The message says what, where (file, line, key) and what would be right."""

    exit_code = 2


class WorkError(KerasFTError):
    """The request was right but the work failed (a check did not pass, a process died)."""


class ResumeError(KerasFTError):
    """The work was cut off (preemption, a lost worker) and nothing is wrong: the same command goes on with it."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h

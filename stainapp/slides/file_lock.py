"""A lock on a file's name: held by one export at a time, and freed by the system if it is killed.

Programs that do not ask for it are not kept out. Where the file system knows no locks, as on
some network drives, nobody is.
"""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _unlock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


_HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_TRIES = 100


class HeldError(Exception):
    """Somebody else holds the lock."""


class FileLock:
    """An empty file beside what it guards; it is there as long as the lock is held.

    Args:
        path: the empty file.

    Raises:
        HeldError: another process, or another lock in this one, holds it.
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = self._take()

    def release(self) -> None:
        """Let others have it; a second call does nothing."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with suppress(OSError):  # Windows deletes no open file
            self.path.unlink()
        with suppress(OSError):  # closing frees it too, where no forked process shares it
            _unlock(file)
        os.close(file)
        if sys.platform == "win32":
            with suppress(OSError):  # another has just opened it, and will delete it
                self.path.unlink()

    def _take(self) -> int:
        for _ in range(_TRIES):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _try_to_lock(file)
                if names(self.path, file):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # its last holder deleted it after we had opened it
        raise HeldError(f"{self.path} changes hands too fast.")


def names(path: Path, file: int) -> bool:
    """Return whether ``path`` is still the name of an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except OSError:
        return False


def _try_to_lock(file: int) -> None:
    try:
        _lock(file)
    except OSError as error:
        if error.errno in _HELD:
            raise HeldError from error
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            raise

"""The errors a user can meet. Standard library only.

Every message is one line that says what was expected, what was found and what to do. Each class is
also the builtin that a caller would expect, so ``except FileNotFoundError`` and friends work.
"""


class OmniAudioError(Exception):
    """Base of every error that OmniAudio Studio raises on purpose.

    ``exit_code`` is what the command line exits with.
    """

    exit_code = 2


class MissingFileError(OmniAudioError, FileNotFoundError):
    """A file or folder named by the user is not there."""


class MediaError(OmniAudioError, ValueError):
    """A media file cannot be read, or is not what was asked for."""


class OptionError(OmniAudioError, ValueError):
    """An option is out of range or contradicts another."""


class BundleError(OmniAudioError, ValueError):
    """A model bundle is incomplete, altered or of an unknown kind."""


class OutputError(OmniAudioError, OSError):
    """An output cannot be written (folder, permission, disk)."""


class OutputExistsError(OutputError, FileExistsError):
    """The output is already there and overwriting was not asked for."""


class MissingDependencyError(OmniAudioError, ImportError):
    """An optional part of the installation is needed; the message names the extra."""


class DeviceError(OmniAudioError, RuntimeError):
    """A requested device or execution provider cannot be used."""


class WorkerError(OmniAudioError, RuntimeError):
    """The worker process failed or answered something unexpected."""

    exit_code = 1


class Cancelled(OmniAudioError):
    """The user stopped the work. Not a failure: nothing is left behind."""

    exit_code = 130

"""Every failure that stainapp expects.

A message is one sentence for the person at the screen: what failed, on which
file, and what to do. The technical reason rides along as ``__cause__``, so raise
with ``from``. No class takes extra arguments: each survives pickling.
"""


class StainAppError(Exception):
    """An expected failure. The window shows its message; the program goes on."""


class SlideError(StainAppError):
    """A slide cannot be opened or read."""


class UnsupportedSlideError(SlideError):
    """No reader understands the file."""


class UnknownScaleError(SlideError):
    """The slide does not say how large its pixels are, and nobody has told."""


class ModelError(StainAppError):
    """A staining model cannot be used."""


class ModelCardError(ModelError):
    """A model card is missing a field, or a field has an impossible value."""


class ImportRefusedError(ModelError):
    """A published checkpoint is unsafe, foreign or damaged, and was not imported."""


class DeviceMemoryError(ModelError):
    """No device has memory for even the smallest piece of work."""


class ExportError(StainAppError):
    """A file could not be written, or did not read back as it was written."""


class RecipeError(StainAppError):
    """A training recipe has an unknown field, an impossible value, or data that will not do."""


class TrainingError(StainAppError):
    """A training run cannot go on."""


class RegionError(StainAppError):
    """A region has no usable outline, or a file of regions cannot be read or written."""


class RegistrationError(StainAppError):
    """Two slides cannot be laid over each other, or a transform cannot be read or written."""


class StudyError(StainAppError):
    """A reader study cannot be made, read or gone on with."""


class SessionError(StainAppError):
    """What the user did cannot be read back or written down, or its slide cannot be found."""


class SettingsError(StainAppError):
    """What the program remembers cannot be read or written."""


class Cancelled(Exception):  # noqa: N818 - not an error: the answer is no longer wanted
    """Ends a piece of work whose result nobody waits for. Never shown."""

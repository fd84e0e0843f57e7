"""What can go wrong in a pipeline, in words for the person who has to act."""


class PipelineError(Exception):
    """A file, setting or model cannot be used as asked; the message says which, why, and what to do."""

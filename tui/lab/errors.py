"""What the lab says when it cannot be had."""


class LabError(Exception):
    """The lab cannot be prepared or removed; the message is a sentence for the user that says what to do."""

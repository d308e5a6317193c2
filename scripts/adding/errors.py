"""The one error of add_model that its user sees."""


class AddingError(Exception):
    """The model cannot be added; the message is one sentence for the user.

    exit_code: 2 when the user's own input is wrong, 1 otherwise.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code

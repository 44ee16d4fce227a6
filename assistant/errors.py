"""Every error this program raises on purpose, in one tree.

    AssistantError                 http 500, exit 1
    ├── ConfigError                a setting is wrong                     exit 2
    ├── PipelineError              a pipeline file is wrong               exit 2
    ├── StorageError               a folder or the database can't be used http 503
    ├── OtherModel                 the store was made with another model  http 409
    ├── IndexSwitched              another generation serves by now       http 503, retryable
    ├── ChromaUnavailable          the vector store doesn't answer        http 503, retryable
    ├── IndexNotReady              nothing has been loaded yet            http 503
    ├── ModelUnavailable           a language model can't answer          http 503, retryable
    ├── Busy                       too many questions wait already        http 503, retryable
    ├── DocumentError              one file can't be read                 http 422
    ├── InvalidQuestion            empty, too long                        http 422, exit 2
    ├── InvalidRequest             a value that can't be taken            http 422, exit 2
    ├── TooLarge                   a request with too much in it          http 413
    ├── AlreadyAsked               the same question was sent before      http 409
    ├── NotFound                   no such thing, or none this person may see  http 404
    │   └── FileChanged            the file is not the loaded version      http 404
    ├── LimitReached               too many questions or attempts         http 429, retryable
    ├── SignInUnavailable          a directory does not answer            http 503, retryable
    └── AccessDenied               not signed in, or not allowed          http 403
        ├── WrongPassword          of a name and a password               http 401
        └── SignInRefused          what a single sign-on said is not accepted  http 403

Messages are one line for a person: what happened, what to do.
"""

from __future__ import annotations


class AssistantError(Exception):
    """Base of the tree; its text is shown to people as it is."""

    http_status: int = 500
    exit_code: int = 1
    retryable: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ConfigError(AssistantError):
    exit_code = 2


class PipelineError(AssistantError):
    exit_code = 2


class StorageError(AssistantError):
    http_status = 503


class OtherModel(AssistantError):
    http_status = 409


class IndexSwitched(AssistantError):
    http_status = 503
    retryable = True


class ChromaUnavailable(AssistantError):
    http_status = 503
    retryable = True


class IndexNotReady(AssistantError):
    http_status = 503


class ModelUnavailable(AssistantError):
    http_status = 503
    retryable = True


class Busy(AssistantError):
    http_status = 503
    retryable = True

    def __init__(self, message: str, seconds: int = 30) -> None:
        super().__init__(message)
        self.seconds = seconds  # after which it is worth another try


class DocumentError(AssistantError):
    http_status = 422


class InvalidQuestion(AssistantError):
    http_status = 422
    exit_code = 2


class InvalidRequest(AssistantError):
    http_status = 422
    exit_code = 2


class TooLarge(AssistantError):
    http_status = 413


class AlreadyAsked(AssistantError):
    http_status = 409


class NotFound(AssistantError):
    http_status = 404


class FileChanged(NotFound):
    pass


class LimitReached(AssistantError):
    http_status = 429
    retryable = True

    def __init__(self, message: str, seconds: int = 60, *, kind: str = "") -> None:
        super().__init__(message)
        self.seconds = seconds  # after which it is worth another try
        self.kind = kind  # of limit: minute, day, address, answers, sign_in, token; each has a sentence on the page
        self.is_news = True  # or one of many refusals of the same, which are not all written down


class SignInUnavailable(AssistantError):
    http_status = 503
    retryable = True


class AccessDenied(AssistantError):
    http_status = 403


class WrongPassword(AccessDenied):
    http_status = 401


class SignInRefused(AccessDenied):
    """The text is for the log: parts of it come from outside. People get the sentence of `case`."""

    def __init__(self, message: str, case: str = "failed") -> None:
        super().__init__(message)
        self.case = case

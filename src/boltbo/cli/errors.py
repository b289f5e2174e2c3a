"""The errors that tell a user what to do; any other is a bug and keeps its traceback."""

from boltbo.llm.backend import CorruptModel, ModelUnavailable
from boltbo.problem import InvalidCandidate, OracleUnavailable
from boltbo.settings import ConfigError
from boltbo.storage import StorageError

USER_ERRORS = (
    *(ConfigError, StorageError, OracleUnavailable, ModelUnavailable),
    *(InvalidCandidate, CorruptModel, ModuleNotFoundError),
)

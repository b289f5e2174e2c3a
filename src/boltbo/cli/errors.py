"""The errors that tell a user what to do; any other is a bug and keeps its traceback."""

from boltbo.imports import InvalidRuns
from boltbo.llm.backend import CorruptModel, ModelUnavailable
from boltbo.problem import InvalidCandidate, OracleUnavailable
from boltbo.settings import ConfigError
from boltbo.storage import StorageError

USER_ERRORS = (
    *(ConfigError, StorageError, OracleUnavailable, ModelUnavailable),
    *(InvalidRuns, InvalidCandidate, CorruptModel, ModuleNotFoundError),
)

"""A language model behind an OpenAI-compatible HTTP service: fine-tuned by jobs there, sampled by chat completions.

model.py    the backend                     journal.py  a record of what was paid for
answers.py  texts of the service as candidates
jobs.py     fine-tuning jobs that resume    client.py   requests, retries, pace, errors without the key
"""

from boltbo.llm.service.client import Connection
from boltbo.llm.service.model import ServiceModel

__all__ = ["Connection", "ServiceModel"]

"""What gives a run its first candidates."""

from boltbo.proposers.base import LearningProposer, Proposal, Proposer, seed_of
from boltbo.proposers.initial_design import InitialDesign
from boltbo.proposers.language_model import ModelProposer
from boltbo.proposers.retrieval import Retrieval, Solved

__all__ = [
    "InitialDesign",
    "LearningProposer",
    "ModelProposer",
    "Proposal",
    "Proposer",
    "Retrieval",
    "Solved",
    "seed_of",
]

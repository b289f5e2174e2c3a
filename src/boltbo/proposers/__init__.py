"""What gives a run its first candidates."""

from boltbo.proposers.base import Proposal, Proposer, seed_of
from boltbo.proposers.initial_design import InitialDesign
from boltbo.proposers.language_model import ModelProposer
from boltbo.proposers.retrieval import Retrieval, Solved
from boltbo.proposers.unseen import Unseen

__all__ = ["InitialDesign", "ModelProposer", "Proposal", "Proposer", "Retrieval", "Solved", "Unseen", "seed_of"]

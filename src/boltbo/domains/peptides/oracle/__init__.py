"""Predicting the MIC of a peptide: the shipped ensemble, the judge apart from it, and the door for a user's own."""

from boltbo.domains.peptides.oracle.predictor import MicPredictor, load_judge, load_predictor
from boltbo.domains.peptides.oracle.scales import AMINO_ACIDS
from boltbo.domains.peptides.oracle.species import SPECIES

__all__ = ["AMINO_ACIDS", "SPECIES", "MicPredictor", "load_judge", "load_predictor"]

"""De-novo peptide sequencing from tandem mass spectra: a second task behind the seams of training.

Begin with `task`, which hands the parts over; `spectrum` says what a spectrum and a batch of them are. `losses/` has a
module for each loss term.
"""

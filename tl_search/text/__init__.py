"""Floor 1: text to train on. `corpus` says what every corpus offers; the other files are one corpus each."""

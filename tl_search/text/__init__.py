"""Floor 1: text to train on. `corpus` says what every corpus offers; most other files are one corpus each."""

"""Label-free metrics, one per file: a class that declares its options and their limits.

A file here, or in the folder metrics/ of an allowed package, is a metric of the file's name. Metrics are quick to
import, since a config that names them is checked before anything heavy is loaded: torch is imported inside functions.
"""

"""Model families, one module each: a frozen dataclass that keeps what `training/model.py` asks for.

A family is named by a YAML in `conf/model/`.
"""

"""Model families, one module each: a frozen dataclass that keeps what `training.model.ModelConfig` asks for.

A family is named by a YAML in `conf/model`.
"""

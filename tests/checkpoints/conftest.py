from checkpoints.hub_fixtures import hub, published

__all__ = ["hub", "published"]

from checkpoints.hub_fixtures import family_hub, hub, published

__all__ = ["family_hub", "hub", "published"]

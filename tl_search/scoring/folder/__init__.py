"""A person's own tasks, in a folder."""

"""Ground: what error messages need, such as the name that a misspelt one may mean."""

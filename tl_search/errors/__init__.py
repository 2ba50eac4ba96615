"""Ground: what error messages need. `nearest` suggests names; `ranks` finds causes and sends errors to processes."""

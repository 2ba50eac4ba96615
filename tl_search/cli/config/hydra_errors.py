"""Turns errors of Hydra and OmegaConf into one line that a person understands, with the most similar valid name."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tl_search.cli.explain import first_line
from tl_search.errors.kinds import BadInput
from tl_search.errors.nearest import suggest


@contextmanager
def readable() -> Iterator[None]:
    """Turns the errors that composing a config can raise into BadInput."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except BadInput:
        raise
    except HydraException as error:
        raise BadInput(_hydra(error)) from error
    except OmegaConfBaseException as error:
        raise BadInput(_omegaconf(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{mark.name}:{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise BadInput(f"{where}{error.problem or 'not YAML'}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"a config file is not UTF-8 text: {first_line(error)}") from error


def _hydra(error: Exception) -> str:
    from hydra.errors import MissingConfigException, OverrideParseException
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

    if isinstance(error, MissingConfigException):
        group, _, option = (error.missing_cfg_file or "?").rpartition("/")
        return f"{group or 'config'}: no option {option!r}{suggest(option, error.options or [])}"
    if isinstance(error, OverrideParseException):
        hint = f"a text with special characters needs quotes: {in_quotes(error.override)}"
        return f"{error.override}: cannot be read; {hint}"
    cause = error.__cause__
    if isinstance(cause, (ConfigKeyError, ConfigAttributeError)):
        parent = cause.parent_node if cause.parent_node is not None else {}
        options = {str(key) for key in parent} - {"_target_", "hydra"}
        return f"{cause.full_key}: unknown key{suggest(cause.key, options)}"
    if isinstance(cause, OmegaConfBaseException):
        return _omegaconf(cause)
    told = str(error).splitlines()
    if len(told) > 1 and told[0].endswith("raised while composing config:"):
        return f"{told[0].split(chr(39))[1]}.yaml: {told[1].rstrip('.')}"  # the file, and what is wrong in it
    return first_line(error)


def in_quotes(override: str) -> str:
    """A setting in the form in which a shell and Hydra take its value for one text: `'name="a,b"'`."""
    key, _, value = override.partition("=")
    inner = value.strip("'\"").replace("\\", "\\\\").replace('"', '\\"')
    return shlex.quote(f'{key}="{inner}"')


def _omegaconf(error: Exception) -> str:
    path = getattr(error, "full_key", None)
    text = first_line(error)
    if path and "HydraConfig was not set" in text:  # Hydra looks a setting up before it deletes it
        return f"{path}: must not be removed ({path}=VALUE sets it)"
    return f"{path}: {text}" if path and str(path) not in text else text

"""The one door to models and tokenizers that others wrote: whatever their files say, no code of theirs runs.

Only a person can allow it, on the command line and for one commit or folder (`runs/trusted.py`).

transformers lets a model's files choose code in more ways than `trust_remote_code` covers: an attention kernel is
downloaded by the name that `config.json` gives, a tokenizer's class may be any class of the library, an adapter names
another model to be loaded. So the files are looked at before transformers sees them.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tl_search.runs.trusted import is_trusted, refusal
from tl_search.store.atomic import read_json

# Settings of config.json that choose the code which computes; a name of the library's own code is left out of account.
_CODE = re.compile(r"_?(?:attn|experts)_implementation(?:_internal)?|kernel_config|use_kernels")
# Those that bring other packages or other files in.
_BRINGS = ("quantization_config", "compression_config", "fusion_config", "distributed_config", "transformers_weights")
_TOKENIZER = re.compile(r"(?!Auto|Rag)\w*Tokenizer(?:Fast)?|(?:Tokenizers|Python|SentencePiece|MistralCommon)Backend")


def load_config(source: str | Path, **where: Any) -> Any:
    """The settings of a model, with the library's own choice of attention.

    Args:
        source: A folder, or the name of a model on the Hub.
        where: `revision`, `cache_dir` and the like, as transformers takes them.

    Raises:
        ValueError: they would bring code; or the errors of transformers for what cannot be read.
    """
    from transformers import AutoConfig

    _check_files(source, where)
    with _telling_of_code(source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=is_trusted(source), **where)
    for one in (config, config.get_text_config()):
        one._attn_implementation = None
    return config


def load_model(source: str | Path, kind: str = "AutoModel", *, config: Any = None, **options: Any) -> Any:
    """A model with its weights, by one of transformers' `Auto` classes.

    Args:
        kind: AutoModel for the model without a head, AutoModelForCausalLM with it.
        config: Its settings from `load_config`; read again if None.
        options: `dtype`, `revision` and the like, as transformers takes them.

    Raises:
        ValueError: its files would bring code; or the errors of transformers for what cannot be read.
    """
    import transformers

    where = {key: options[key] for key in ("revision", "cache_dir", "local_files_only") if key in options}
    config = load_config(source, **where) if config is None else config
    auto = getattr(transformers, kind)
    trust = is_trusted(source)
    with _telling_of_code(source):
        return auto.from_pretrained(source, config=config, trust_remote_code=trust, weights_only=True, **options)


def empty_model(source: Path) -> Any:
    """The model without a head that a folder's config.json describes, on the meta device: it has no weights.

    Raises:
        ValueError: its files would bring code; or the errors of transformers for what it does not know.
    """
    import torch
    from transformers import AutoModel

    config = load_config(source, local_files_only=True)
    with torch.device("meta"), _telling_of_code(source):
        return AutoModel.from_config(config, attn_implementation="eager", trust_remote_code=is_trusted(source))


def load_tokenizer(source: str | Path, **where: Any) -> Any:
    """A tokenizer; arguments and errors as for `load_config`."""
    from transformers import AutoTokenizer

    _check_files(source, where)
    with _telling_of_code(source):
        return AutoTokenizer.from_pretrained(source, trust_remote_code=is_trusted(source), **where)


def load_own_tokenizer(folder: Path) -> Any:
    """A tokenizer that a training has made and saved: its class is known, whatever its files say."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


@contextmanager
def _telling_of_code(source: str | Path) -> Iterator[None]:
    """transformers' refusal to run code, in our words, which say how a person allows it."""
    try:
        yield
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ValueError(refusal(source)) from error


def _check_files(source: str | Path, where: Mapping[str, Any]) -> None:
    """Refuse a model whose files choose code. Raises ValueError naming the file and the setting."""
    if _file(source, "adapter_config.json", where) is not None:
        raise ValueError(
            f"{source}: is an adapter of another model, which it would load; merge it into that model first"
        )
    for name in ("config.json", "tokenizer_config.json"):
        path = _file(source, name, where)
        settings = None if path is None else read_json(path)
        for key, value in _settings(settings):
            told = f"{path}: {key}"
            if _CODE.fullmatch(key) and not _own(value):
                raise ValueError(f"{told}: must not choose code that is not transformers' own, got {value!r}")
            if key in _BRINGS and value is not None:
                raise ValueError(f"{told}: is not supported, since it brings other code or other files")
            if key == "auto_map" and any("--" in name for name in _texts(value)):
                raise ValueError(f"{told}: must not name code of another repository, got {value!r}")
            if key == "tokenizer_class" and value is not None and not _TOKENIZER.fullmatch(str(value)):
                raise ValueError(f"{told}: must be a tokenizer of transformers, got {value!r}")


def _own(value: Any) -> bool:
    """Whether a value names no code from elsewhere: a kernel's name has a slash, the library's own has none."""
    if isinstance(value, Mapping):
        return all(map(_own, value.values()))
    return value in (None, False) or (isinstance(value, str) and re.fullmatch(r"\w*(?:\|\w+)?", value) is not None)


def _settings(tree: Any) -> Iterator[tuple[str, Any]]:
    """All keys of a tree of dicts and lists with their values."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, Mapping):
            yield from node.items()
            left += node.values()
        elif isinstance(node, list):
            left += node


def _texts(tree: Any) -> list[str]:
    inner = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    return [tree] if isinstance(tree, str) else [text for item in inner for text in _texts(item)]


def _file(source: str | Path, name: str, where: Mapping[str, Any]) -> Path | None:
    """A file of a model: in its folder, or from the Hub as transformers would find it; None where there is none."""
    if Path(source).is_dir():
        path = Path(source, name)
        return path if path.is_file() else None
    from transformers.utils import cached_file

    found = cached_file(str(source), name, _raise_exceptions_for_missing_entries=False, **where)
    return None if found is None else Path(found)

"""Secrets, such as access tokens: a config that contains one is refused, and they are masked in written configs."""

import re
from collections.abc import Mapping
from typing import Any

from tl_search.cli.config.allowlist import walk
from tl_search.errors.kinds import BadInput

# Whole words of a key, so that `tokenizer`, `next_token` and `bos_token` are what they are.
SECRET_KEY = re.compile(
    r"(?:^|_)(?:secret|password|passwd|passphrase|api_?key|access_?key|private_?key|bearer|credentials?)(?:_|$)"
    r"|(?:^|_)(?:hf|hub|auth|api|access|refresh|user|session|wandb)_token$|^token$",
    re.IGNORECASE,
)
# Tokens of Hugging Face, OpenAI and the like, GitHub, AWS; a JSON web token.
SECRET_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)"
)
MASK = "*****"


def check_secrets(tree: Mapping[str, Any]) -> None:
    """Refuse a config that holds a secret. The message names the key and never the value."""
    for path, key, value in walk(tree):
        where = f"{path}.{key}" if path else key
        items = value if isinstance(value, list) else [value]
        texts = [item for item in items if isinstance(item, str) and item]
        if (SECRET_KEY.search(key) and texts) or any(SECRET_VALUE.search(text) for text in texts):
            raise BadInput(f"{redact(where)}: secrets are read from the environment (HF_TOKEN), never from a config")


def redact(text: str) -> str:
    """`text` with everything that looks like a secret masked."""
    return SECRET_VALUE.sub(MASK, text)

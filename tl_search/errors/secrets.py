"""What a secret looks like, such as an access token, and how it is masked in everything that is shown or written.

A secret is known by its form (`hf_…`), by the name that it has (`api_key=…`), by its place in an address
(`https://user:password@host`), or because it is the value of a variable in the environment whose name says so.
"""

import os
import re

MASK = "*****"
_SHORTEST = 8  # characters; a shorter value of the environment would be found in innocent words

# Whole words of a key, so that `tokenizer`, `next_token` and `bos_token` are what they are.
_NAME = (
    r"(?:[A-Za-z0-9_-]*[_-])?(?:secret|password|passwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key|bearer"
    r"|credentials?|authorization)(?:[_-][A-Za-z0-9_-]*)?"
    r"|(?:[A-Za-z0-9_-]*[_-])?(?:hf|hub|auth|api|access|refresh|user|session|security|bearer|secret|wandb|comet|neptune"
    r"|mlflow|github|gitlab|tracking)[_-]?token"
    r"|token"
)
_KEY = re.compile(_NAME, re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Tokens of Hugging Face, OpenAI and the like, GitHub, GitLab, Slack, Google, AWS, Neptune; JSON web tokens; key files.
_FORM = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}"
    r"|A(?:KI|SI)A[0-9A-Z]{16}|eyJhcGlf[A-Za-z0-9+/=_-]{16,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----)?",
    re.DOTALL,
)
_ADDRESS = re.compile(r"(?<=://)[^\s/@:'\"]*:[^\s/@'\"]+(?=@)")
# `key=value`, `'key': 'value'` and what a request's headers say, in a text that may also hold other things.
_NAMED = re.compile(
    rf"(?<![A-Za-z0-9_-])((?:{_NAME}|X-Amz-Signature|X-Amz-Credential|Signature|sig)=['\"]?"
    r"|Authorization: ?(?:Bearer |Basic )?|Bearer )([^\s'\"&,;)}\]]+)",
    re.IGNORECASE,
)
_QUOTED = re.compile(rf"((?:'(?:{_NAME})'|\"(?:{_NAME})\"): ?(['\"]))(.+?)(?=\2)", re.IGNORECASE)
_VARIABLE = re.compile(
    r"(?:.*_)?(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SECRET_?KEY|CREDENTIALS?)"
    r"(?:_ID)?",
    re.IGNORECASE,
)


def names_secret(key: str) -> bool:
    """Whether what has this name is a secret: `hf_token`, `api-key`, `accessToken`; but not `bos_token`."""
    return bool(_KEY.fullmatch(_CAMEL.sub("_", key)))


def holds_secret(text: str) -> bool:
    """Whether a secret stands in the text, known by its form, as an address's password or from the environment."""
    return bool(_FORM.search(text) or _ADDRESS.search(text)) or any(value in text for value in _known())


def redact(text: str) -> str:
    """`text` with everything that looks like a secret masked."""
    for value in _known():
        text = text.replace(value, MASK)
    text = _ADDRESS.sub(MASK, _FORM.sub(MASK, text))
    text = _QUOTED.sub(lambda found: found[1] + MASK, text)
    return _NAMED.sub(lambda found: found[0] if _harmless(found[2]) else found[1] + MASK, text)


def _harmless(value: str) -> bool:
    """Whether it is the place of a secret, which a message may name: `token=null`, `HF_TOKEN=${oc.env:HF_TOKEN}`."""
    return value == MASK or value.startswith("$") or value.lower() in ("null", "none", "true", "false", "...", "…")


def _known() -> list[str]:
    """The secrets in the environment, the longest first: one may be the beginning of another.

    Plain words are none, nor is the path of a file in which a secret is kept.
    """
    found = {value.strip() for name, value in os.environ.items() if _VARIABLE.fullmatch(name)}
    long = (value for value in found if len(value) >= _SHORTEST and not re.fullmatch("[a-z]+|[0-9]+", value))
    return sorted((value for value in long if not os.path.exists(value)), key=len, reverse=True)

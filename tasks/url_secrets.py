"""Passwords, keys and signatures in URLs: found, so that they are refused, and left out of text.

A URL that is read is written into results, reports, logs and the orchestrator's database.
"""

import re

SCHEME = re.compile(r"((?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]*://)", re.IGNORECASE)
# after a scheme: `user:password@`, where the password may hold a slash, as AWS keys do; what looks
# like a port is none, and neither is an ARN
PASSWORD = re.compile(r"(?=[^@]*@)(?!arn:)[^/?#@\[]*:(?!\d{1,5}(?:[/?#]|$))[^@]*@")
NAME = re.compile(r"[^/?#@]+@")
PARAMETER = re.compile(
    r"([?&;#][\w.%\-]*?(?:(?<![a-z])sig|signature|token|secret|pass(?:w(?:or)?d|phrase)?|pwd|jwt"
    r"|key(?:-?pair)?(?:[-_]?id)?|auth(?:orization)?|credentials?|session(?:[-_]?id)?)=)"
    r"[^\s'\"&;#]+",
    re.IGNORECASE,
)
TO_ITS_LAST_AT = re.compile(r"[^\s'\"]*@|[^@]*@")


def has_secret(text: str) -> bool:
    """Tell whether a text is or holds a URL that carries a password, a key or a signature."""
    _, *urls = SCHEME.split(text)
    pairs = zip(urls[::2], urls[1::2], strict=True)
    return any(_lets_in(scheme, rest) or PARAMETER.search(rest) for scheme, rest in pairs)


def without_secrets(text: str) -> str:
    """Return the text with `***` for what is secret in its URLs."""
    before, *urls = SCHEME.split(text)
    pairs = zip(urls[::2], urls[1::2], strict=True)
    return before + "".join(scheme + _hidden(scheme, rest) for scheme, rest in pairs)


def _lets_in(scheme: str, rest: str) -> bool:
    """Tell whether a user is named who needs no other password.

    For HTTP a name alone is enough, as tokens are given so; with others it is a user of SFTP or a
    container of Azure's.
    """
    http = scheme.lower().endswith(("http://", "https://"))
    return bool(PASSWORD.match(rest) or (http and NAME.match(rest)))


def _hidden(scheme: str, rest: str) -> str:
    if _lets_in(scheme, rest):
        rest = TO_ITS_LAST_AT.sub("***@", rest, count=1)
    return PARAMETER.sub(r"\1***", rest)

"""Who may do what with a run, on a server that many people use. No accounts and no user interface.

A person is known by a secret that their browser keeps; a run keeps the hash of it. On a server that
only one person uses, which is the default, everyone who opens it is that person.
"""

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass

from .about import About

SECRET = re.compile(r"[A-Za-z0-9_-]{32}")  # 24 random bytes


@dataclass(frozen=True)
class Person:
    """Somebody who uses the app."""

    owner: str = ""  # hash of their secret; empty on a server that only one person uses
    nickname: str = ""
    is_teacher: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether this server is for one person, to whom everything belongs."""
        return not self.owner

    def may_change(self, about: About) -> bool:
        """Whether they may stop, resume, rename, share or delete a run."""
        return self.is_alone or self.is_teacher or about.owner == self.owner

    def may_read(self, about: About) -> bool:
        """Whether they may see a run if they have its link."""
        return self.may_change(about) or about.shared or about.published

    def about_new_run(self) -> About:
        """Return what is said of a run that they start."""
        return About(self.owner, self.nickname)


def has_many_people() -> bool:
    """Whether this server is for many: a Hugging Face Space, or one with a teacher."""
    return bool(os.environ.get("VITDEMO_TEACHER_SECRET") or os.environ.get("SPACE_ID"))


def new_secret() -> str:
    """Return a secret that nobody can guess, for the browser of a new person."""
    return secrets.token_urlsafe(24)


def owner_of(secret: str) -> str:
    """Return the hash of a person's secret, which says nothing of it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:24]


def is_teachers(secret: str) -> bool:
    """Whether this is the secret in VITDEMO_TEACHER_SECRET; never if there is none."""
    wanted = os.environ.get("VITDEMO_TEACHER_SECRET", "")
    return bool(wanted) and hmac.compare_digest(secret.encode(), wanted.encode())


def teachers_token() -> str:
    """Return what the teacher's browser keeps instead of the secret; empty if there is none."""
    secret = os.environ.get("VITDEMO_TEACHER_SECRET", "")
    return hmac.new(secret.encode(), b"teacher", hashlib.sha256).hexdigest() if secret else ""


def is_teachers_token(token: str) -> bool:
    """Whether a browser has kept the token of the present secret."""
    wanted = teachers_token()
    return bool(wanted) and hmac.compare_digest(token.encode(), wanted.encode())

"""Links that open a new issue elsewhere, with title and text filled in. No token is kept."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

TRACKERS = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "jira": "Jira",
    "linear": "Linear",
}
MOST_TEXT = 4000  # characters: servers refuse URLs beyond some 8 KB
_FORMS = {
    "github": "https://github.com/owner/repository",
    "gitlab": "https://gitlab.com/group/project",
    "jira": "https://site.atlassian.net/browse/PROJ",
    "linear": "https://linear.app/team",
}


class TrackerError(ValueError):
    """An address that cannot be one of a tracker; the sentence says what it must look like."""


def check(kind: str, base: str) -> str:
    """Return the address of a tracker's project without its end. Raises TrackerError."""
    parts = urlsplit(base.strip())
    if kind not in TRACKERS:
        raise TrackerError(f"tracker must be one of {', '.join(TRACKERS)}. Got {kind[:40]!r}.")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise TrackerError(f"address must look like {_FORMS[kind]}. Got {base[:80]!r}.")
    path = parts.path.rstrip("/")
    needed = {"github": 2, "gitlab": 2, "jira": 0, "linear": 1}[kind]
    if len([part for part in path.split("/") if part]) < needed:
        raise TrackerError(f"address must look like {_FORMS[kind]}. Got {base[:80]!r}.")
    return f"{parts.scheme}://{parts.netloc}{path}"


def new_issue(kind: str, base: str, title: str, text: str) -> str:
    """Return the URL of a tracker's form for a new issue.

    >>> new_issue("github", "https://github.com/sky/refunds", "TH-4 wrong & late", "See it.")
    'https://github.com/sky/refunds/issues/new?title=TH-4+wrong+%26+late&body=See+it.'
    >>> new_issue("gitlab", "https://gitlab.com/sky/refunds", "TH-4", "")[31:56]
    '-/issues/new?issue%5Btitl'
    """
    text = text[:MOST_TEXT]
    if kind == "github":
        return f"{base}/issues/new?{urlencode({'title': title, 'body': text})}"
    if kind == "gitlab":
        query = {"issue[title]": title, "issue[description]": text}
        return f"{base}/-/issues/new?{urlencode(query)}"
    if kind == "linear":
        return f"{base}/new?{urlencode({'title': title, 'description': text})}"
    parts = urlsplit(base)
    query = {"summary": title, "description": text}
    if project := parts.path.rpartition("/browse/")[2].strip("/"):
        query = {"project": project, **query}
    return f"{parts.scheme}://{parts.netloc}/secure/CreateIssueDetails!init.jspa?{urlencode(query)}"

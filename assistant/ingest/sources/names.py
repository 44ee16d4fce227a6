"""What a pipeline's source may be called: protocols of servers, and short names of LlamaIndex readers."""

from __future__ import annotations

from assistant.registry import nearest

# Protocol → (module that speaks it, the extra that installs it); without an extra it is there already.
PROTOCOLS: dict[str, tuple[str, str]] = {
    "webdav": ("webdav4", "webdav"),  # over HTTP
    "webdavs": ("webdav4", "webdav"),  # over HTTPS
    "s3": ("s3fs", "s3"),
    "smb": ("smbclient", "smb"),
    "sftp": ("paramiko", "sftp"),
    "file": ("", ""),
    "memory": ("", ""),
}

# Each is in the package of its path: llama_index.readers.web → pip install llama-index-readers-web.
READERS = {
    "web": "llama_index.readers.web.SimpleWebPageReader",
    "sitemap": "llama_index.readers.web.SitemapReader",
    "rss": "llama_index.readers.web.RssReader",
    "confluence": "llama_index.readers.confluence.ConfluenceReader",
    "sharepoint": "llama_index.readers.microsoft_sharepoint.SharePointReader",
    "onedrive": "llama_index.readers.microsoft_onedrive.OneDriveReader",
    "database": "llama_index.readers.database.DatabaseReader",
    "mongodb": "llama_index.readers.mongodb.SimpleMongoReader",
    "notion": "llama_index.readers.notion.NotionPageReader",
    "jira": "llama_index.readers.jira.JiraReader",
    "slack": "llama_index.readers.slack.SlackReader",
    "google": "llama_index.readers.google.GoogleDriveReader",
    "google_docs": "llama_index.readers.google.GoogleDocsReader",
    "directory": "llama_index.core.readers.SimpleDirectoryReader",
    "json": "llama_index.core.readers.json.JSONReader",
    "strings": "llama_index.core.readers.StringIterableReader",
}


def protocol(url: str) -> str:
    return url.partition("://")[0].lower()


def protocol_problem(url: str) -> str | None:
    """What is wrong with a source's address, for a person; None if nothing is."""
    name, separator, rest = url.partition("://")
    if not separator or not rest:
        return f"'{without_password(url)}' is no address such as webdav://files.example.com/documents"
    if name.lower() not in PROTOCOLS:
        return f"unknown protocol '{name}'{nearest(name, list(PROTOCOLS))}"
    return None


def without_password(url: str) -> str:
    """The address as it may be shown."""
    start, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{start}{separator}{host.rpartition('@')[2]}{slash}{path}"


def reader_path(name: str) -> str:
    """The dotted path of a reader's short name or class name; anything else is returned as it is."""
    by_class = {path.rpartition(".")[2]: path for path in READERS.values()}
    return READERS.get(name) or by_class.get(name, name)


def reader_problem(name: str) -> str | None:
    """What is wrong with a reader's name that is not a path, for a person; None if nothing is."""
    if "." in name or reader_path(name) != name:
        return None
    return (
        f"unknown reader '{name}'{nearest(name, list(READERS))} (or a path such as llama_index.readers.file.PDFReader)"
    )

"""What a gateway in front of the service sends: HTML."""

from __future__ import annotations

__all__ = ["HTML", "HTML_TYPE", "html_page"]

HTML_TYPE = "text/html; charset=utf-8"
HTML = (("Content-Type", HTML_TYPE),)


def html_page(title: str) -> bytes:
    """Return the page of a gateway."""
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n".encode()

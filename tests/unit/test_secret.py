"""What somebody else wrote is shown on one line, and without the secrets in it, however they are spelled there."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pickle
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_qoder_vault.secret import KnownSecrets, Secret, one_line
from unit.slow_redaction import one_line as slow_one_line

SECRET = "mcp+canary/\"0123'<456>&\\789"


def nested(value: str) -> str:
    """A string as it stands in JSON, with `/` escaped, as PHP and others do."""
    return json.dumps(value)[1:-1].replace("/", "\\/")


def in_each(form: str) -> Callable[[str], str]:
    """Write every character in this form."""
    return lambda value: "".join(form.format(ord(character)) for character in value)


def decimal_of_specials(form: str) -> Callable[[str], str]:
    """Write in this form what is neither letter nor digit, as template engines do."""
    return lambda value: "".join(
        character if character.isalnum() else form.format(ord(character)) for character in value
    )


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON with escaped slashes": nested,
    "JSON in JSON": lambda value: nested(nested(value)),
    "JSON in JSON in JSON": lambda value: nested(nested(nested(value))),
    "JSON, all as \\u": in_each("\\u{:04x}"),
    "JSON in JSON, all as \\u": lambda value: nested(in_each("\\u{:04X}")(value)),
    "apostrophes escaped": lambda value: value.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"'),
    "\\x of specials": decimal_of_specials("\\x{:02x}"),
    "\\x of all": in_each("\\x{:02X}"),
    "\\x in JSON": lambda value: nested(in_each("\\x{:02x}")(value)),
    "HTML by name": lambda value: html.escape(value).replace("&#x27;", "&apos;"),
    "HTML by name in upper case": lambda value: html.escape(value, quote=False).replace("&amp;", "&AMP;"),
    "HTML by all names": lambda value: html.escape(value).replace("+", "&plus;").replace("/", "&sol;"),
    "HTML in HTML": lambda value: html.escape(html.escape(value)),
    "HTML in HTML in HTML": lambda value: html.escape(html.escape(html.escape(value))),
    "HTML in decimal": decimal_of_specials("&#{};"),
    "HTML in decimal with zeros": decimal_of_specials("&#{:03};"),
    "HTML in hexadecimal": decimal_of_specials("&#x{:X};"),
    "HTML, all in decimal": in_each("&#{};"),
    "URL": lambda value: quote(value, safe=""),
    "URL in URL": lambda value: quote(quote(value, safe=""), safe=""),
    "URL in URL in URL": lambda value: quote(quote(quote(value, safe=""), safe=""), safe=""),
    "hexadecimal": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "JSON in HTML": lambda value: html.escape(nested(value)),
    "JSON in a URL": lambda value: quote(nested(value), safe=""),
    "HTML in JSON": lambda value: nested(decimal_of_specials("&#{};")(value)),
    "base64 in JSON": lambda value: nested(base64.b64encode(value.encode()).decode()),
    "split": lambda value: "\u200b".join(value),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", [SECRET, "'/+=begins with specials and ends with them=+/\\"])
def test_a_secret_is_found_in_every_spelling(encoding: str, secret: str) -> None:
    """What remains beside `***` is what stood around it: no character of the secret."""
    line = one_line(f"Bad value: {ENCODINGS[encoding](secret)} was sent", (Secret(secret),))

    assert line.startswith("Bad value: ")
    assert line.endswith(" was sent")
    left = line.removeprefix("Bad value: ").removesuffix(" was sent")
    # Base64 shares its last character with its padding; a backslash may belong to the escape of another.
    assert left.rstrip("=\\")[:3] == "***"
    assert len(left) <= 6, line


@pytest.mark.parametrize("value", ["tök/én-ß+1", "a%41b%2Fc", "a\\u0041b", "a&amp;b&lt;", "a\\\\b\\/c", '0\\\\"'])
@pytest.mark.parametrize("encoding", ["plain", "JSON", "JSON in JSON", "HTML by name", "HTML in HTML", "URL in URL"])
def test_a_secret_may_itself_look_like_an_escape(value: str, encoding: str) -> None:
    """Where a text is decoded, what the secret has of escapes is decoded as well; UTF-8 is read byte by byte."""
    line = one_line(f"no: {ENCODINGS[encoding](value)}.", (Secret(value),))

    assert "no: ***." == line


ENCODERS = st.sampled_from([nested, html.escape, lambda value: quote(value, safe="")])


@given(
    st.text(st.sampled_from("abz09+/=-_.~\"'\\&<>%;#x"), min_size=4, max_size=24), ENCODERS, ENCODERS, st.integers(0, 4)
)
def test_no_two_encodings_hide_a_secret(
    value: str, first: Callable[[str], str], second: Callable[[str], str], depth: int
) -> None:
    """Whatever its characters are, and however often it was encoded in the second way."""
    text = first(value)
    for _ in range(depth):
        text = second(text)

    assert "***" in one_line(f"<{text}>", (Secret(value),))


def test_what_is_no_secret_stays_as_it_is() -> None:
    """Escapes are read to find secrets, not to change what is shown."""
    text = r"Bad \/ and \\\" and \x41 and &amp; &#43; &notknown; %2F %zz \u0041 &#99999999; &#; \\"

    assert text == one_line(text, (Secret(SECRET),))


@pytest.mark.parametrize(
    "part",
    [
        "\\",
        "\\\\/",
        "\\\\u",
        "%25",
        "%",
        "&amp;",
        "&amp;amp",
        "&#0",
        "&#" + "0" * 5000 + "43;",
        "&a",
        "a",
        "\x1b[",
        "\x1b[0",
    ],
)
def test_the_time_grows_with_the_text_only(part: str) -> None:
    """64 KiB that were made to be slow to read are read in a moment."""
    text = (part * 65536)[:65536]
    secrets = (Secret(hashlib.sha512(b"canary").hexdigest() * 16), Secret(SECRET))

    began_s = time.process_time()
    line = one_line(text, secrets)
    took_s = time.process_time() - began_s

    assert len(line) <= 400
    assert took_s < 2


def test_a_secret_is_neither_printed_nor_pickled() -> None:
    """It shows itself only where it is asked to."""
    secret = Secret(SECRET)

    assert {"Secret(***)"} == {str(secret), repr(secret), f"{secret}"}
    assert SECRET == secret.reveal()
    with pytest.raises(TypeError, match="a Secret is not pickled"):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("invalid token '***...'", "invalid token 'mcp-canary-one-111...'"),
        ("invalid token ***…", "invalid token mcp-canary…"),
        ('a "***" b', 'a "MCP-CANA" b'),
        ("token \u201c***\u201d", "token \u201cmcp-canary-o\u201d"),
        ("ends with ***", "ends with mcp-canary-one-1"),
        ("***... and ***...", "mcp-canary... and mcp-canary-one..."),
        (r"in JSON: \"***\"", r"in JSON: \"mcp-canary-on\""),
        ("base64 '***'", f"base64 '{base64.b64encode(b'mcp-canary-one-1111').decode()[:14]}'"),
        ("too short: 'mcp-can'", "too short: 'mcp-can'"),
        ("another one: mcp-canary-two...", "another one: mcp-canary-two..."),
        ("not cut: mcp-canary-one-11, or so", "not cut: mcp-canary-one-11, or so"),
    ],
)
def test_a_secret_that_a_server_cut_short_is_hidden(expected: str, text: str) -> None:
    """Eight characters of it or more, before an ellipsis, a quotation mark or the end of the text."""
    assert expected == one_line(text, [Secret("mcp-canary-one-1111")])


@pytest.mark.parametrize("fill", ['mcp-cana"', "mcp-canary-one-1...", '"', "mcp-canary-one-1"])
def test_parts_of_a_secret_are_looked_for_in_linear_time(fill: str) -> None:
    """A hostile text of 64 KiB does not keep the provider."""
    began_s = time.monotonic()

    one_line(fill * (65536 // len(fill)), [Secret(f"mcp-canary-one-1{number:03}") for number in range(20)])

    assert time.monotonic() - began_s < 5


# The fast search against the slow one

CHARACTERS = st.text(st.sampled_from("abzA09+/=-_.~\"'\\&<>%;#xé\u200b\x1b[ \n"), max_size=30)
SECRETS = st.lists(st.one_of(CHARACTERS, st.sampled_from(["abcdefgh", "abcdefghij", "abcdefghijkl"])), max_size=4)


def in_no_form(value: str) -> str:
    return value


ALL_ENCODERS = st.sampled_from([in_no_form, *ENCODINGS.values()])


@st.composite
def hostile_texts(draw: st.DrawFn) -> tuple[str, list[Secret]]:
    """A text that is made of secrets, their parts, what ends a part, and anything else."""
    values = [value for value in draw(SECRETS) if value]
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 5))):
        value = draw(st.sampled_from(values)) if values else ""
        encoded = draw(ALL_ENCODERS)(draw(ALL_ENCODERS)(value))
        parts.append(encoded[: draw(st.integers(8, 60))] if draw(st.booleans()) else encoded)
        parts.append(draw(st.sampled_from(["", "...", "\u2026", '"', "'", " ", "\x1b[0m", "\x1b]0;"])))
        parts.append(draw(CHARACTERS))
    return "".join(parts), [Secret(value) for value in values]


@given(hostile_texts())
@settings(max_examples=500)
def test_the_fast_search_hides_what_the_slow_one_hides(hostile: tuple[str, list[Secret]]) -> None:
    """Nothing less, and nothing more."""
    text, secrets = hostile
    slow, fast = slow_one_line(text, secrets), one_line(text, secrets)

    if all(secret.reveal().isprintable() for secret in secrets):
        assert slow == fast
    else:  # of what is not printable the fast one knows more spellings
        assert ("***" in slow) <= ("***" in fast)


@pytest.mark.parametrize("length", [200, 256, 300, 900])
@given(st.text(st.sampled_from('%25amp;&\\/u0041x"b'), min_size=1, max_size=12), st.integers(0, 30))
@settings(max_examples=40)
def test_how_a_long_secret_begins_depends_on_all_of_it(length: int, unit: str, shift: int) -> None:
    """An escape may be of any length: what it stands for is known at its end."""
    value = ("c" * shift + unit * length)[:length] + "/n"

    for text in (value, html.escape(value), nested(value), quote(value, safe="")):
        slow, fast = slow_one_line(f"<{text}>", [Secret(value)]), one_line(f"<{text}>", [Secret(value)])
        # A run of backslashes may be an escape of the character behind it: that is hidden, too.
        assert fast in (slow, slow.removesuffix(">"))


HOSTILE_SECRETS = {
    "quotes": '"' * 16384,
    "backslashes": "\\" * 16384,
    "percent signs": "%" * 16384,
    "escapes of a URL": "%41" * 5461,
    "escapes of escapes": "%25" * 5461,
    "entities": "&amp;" * 3276,
    "one letter": "a" * 16384,
    "blanks": "a " * 8192,
    "invisible": "a\xad" * 8192,
    "a key of many lines": "MIIEvQIBADANBgkq\n" * 963,
}


@pytest.mark.parametrize("kind", HOSTILE_SECRETS)
def test_a_secret_that_is_made_to_be_slow_is_found_in_a_moment(kind: str) -> None:
    """16 KiB, in an error that repeats it in every way."""
    value = HOSTILE_SECRETS[kind]
    texts = [f"no: {encode(value)}." for encode in ENCODINGS.values()]
    began_s = time.process_time()
    known = KnownSecrets([Secret(value), Secret(SECRET)])

    lines = [known.one_line(text) for text in texts]

    assert time.process_time() - began_s < 6
    assert all("***" in line for line in lines)


@pytest.mark.parametrize("prefix", ["", "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."], ids=["random", "JWT"])
def test_many_long_secrets_cost_next_to_nothing(prefix: str) -> None:
    """500 of 16 KiB, and 5,000 texts of which each says something of a token: less than half a second."""
    values = [prefix + hashlib.sha512(f"{number}".encode()).hexdigest() * 128 for number in range(500)]
    texts = [f"https://example.com/mcp/{prefix}{number}/of-a-vault" for number in range(5000)]
    began_s = time.process_time()
    known = KnownSecrets(Secret(value) for value in values)

    assert texts == [known.one_line(text) for text in texts]

    assert time.process_time() - began_s < 0.5
    assert "***" == known.one_line(values[250])

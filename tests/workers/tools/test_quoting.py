"""Command lines as text."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.tools.quoting import joined, quoted


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("", "''"),
        ("pwd", "pwd"),
        ("a@b:c+d-e_f/g.h]", "a@b:c+d-e_f/g.h]"),
        ("echo hello", "'echo hello'"),
        ("x=", "'x='"),
        ("1,2p", "'1,2p'"),
        ("é", "'é'"),
        ("a\nb", "'a\nb'"),
        ("cat 'my file'", "\"cat 'my file'\""),
        ("a\\ b", '"a\\\\ b"'),
        ("echo \"q\" 'r'", '"echo \\"q\\" \'r\'"'),
        ("sed -n '5,$p' a", "\"sed -n '5,\"'$p'\"' a\""),
        ("a'b!c", "\"a'b\"'!c'"),
        ("grep ^x f", "'grep ''^x f'"),
        ("^x", "'^x'"),
        ("ab^x", "ab'^x'"),
    ],
)
def test_words_are_quoted_as_clients_know_it(word, text):
    """Observed: the `command` of items."""
    assert quoted(word) == text


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)))
def test_a_shell_reads_back_the_same_words(words):
    """Ours: what the user approves is what is run."""
    script = f"printf '%s\\0' {joined(words)}" if words else "true"
    shell = shutil.which("bash")
    heard = subprocess.run([shell, "-c", script], capture_output=True, check=True)
    assert heard.stdout.decode() == "".join(word + "\0" for word in words)

import pytest

from workers.bash import Pattern, heredoc_command, plain_commands


def test_joined_commands_are_read_in_order():
    """Ours: an approval judges each command of a script."""
    script = "git status && ls -l | head -5; echo a || pwd\nwc x"

    assert plain_commands(script) == [
        ["git", "status"],
        ["ls", "-l"],
        ["head", "-5"],
        ["echo", "a"],
        ["pwd"],
        ["wc", "x"],
    ]


@pytest.mark.parametrize(
    ("script", "argv"),
    [
        ("echo 'a $b' \"c d\"'e'f", ["echo", "a $b", "c def"]),
        ('echo "\\"\\$\\\\" "" "\\n" " "', ["echo", '"$\\', "", "\\n", " "]),
        ("l's' \\-l a\\ b", ["ls", "-l", "a b"]),
        ("\\ls  \\\n  x", ["ls", "x"]),
        (
            "find . \\( -name \\*.py \\) \\-delete",
            ["find", ".", "(", "-name", "*.py", ")", "-delete"],
        ),
        ("xargs {} -", ["xargs", "{}", "-"]),
        ("echo é 12 a=b a#b !x", ["echo", "é", "12", "a=b", "a#b", "!x"]),
    ],
)
def test_words_come_unquoted(script, argv):
    """Ours: a quoted or escaped option is still that option."""
    assert plain_commands(script) == [argv]


@pytest.mark.parametrize(
    "script",
    [
        *("", "\n", "ls &", "ls |& cat", "ls;;", "ls &&", "! ls", "(ls)", "{ ls; }", "# a\nls"),
        *("echo $(ls)", "echo `ls`", 'echo "a`ls`"', 'echo "$x"', "echo $x", "echo a$", "$x"),
        *("echo $'a'", 'echo $"a"', "ls > x", "ls 2>&1", "cat < x", "cat <<< x", "cat <<X\nX"),
        *("cat <(ls)", "A=1 ls", "x=1", "ls || x=1", "export A=1", "declare a", "unset a"),
        *("ls {a,b}", "echo {1..3}", "git {log,--output=x}", "echo @(a|b)", "[ -f x ]"),
        *("if true; then ls; fi", "f() { ls; }", "for x in a; do ls; done", "echo 'a", "ls\rx"),
        *("ls\xa0x", "ls\x00", "ls \ud800", "echo " + "a" * 70_000),
        *("find . -del\\\nete", "find . '-del'\\\nete", "aa \n\\bb c", "aa [X\n\\\na=1 b"),
        *("time ls", "coproc ls", "ls; then ls", "done"),
    ],
)
def test_anything_else_is_not_plain(script):
    """Ours: what cannot be read with certainty is judged as a whole."""
    assert plain_commands(script) is None


def test_an_unquoted_wildcard_makes_a_pattern():
    """Ours: `*` can turn into an option, `'*'` cannot."""
    commands = plain_commands("ls *.py '*' \\* a[1] ?")

    assert commands is not None
    assert [isinstance(word, Pattern) for word in commands[0]] == [
        *(False, True, False, False, True, True)
    ]


@pytest.mark.parametrize(
    ("script", "argv"),
    [
        ("cat <<X\nhi\nX", ["cat"]),
        ("python3 - <<'X'\nprint($a)\nX\n", ["python3", "-"]),
        ("cat <<X\n$(rm -rf a)\nX\n", None),
        ("cat <<'X'\nhi\nX\nrm -rf a\nX\n", None),
        ("cat <<X | sh\nhi\nX", None),
        ("cat <<X; rm x\nhi\nX", None),
        ("ls; cat <<X\nhi\nX", None),
        ("cat < y <<X\nhi\nX", None),
        ("cat", None),
    ],
)
def test_a_literal_here_document_hides_no_command(script, argv):
    """Observed: `python3 - <<'X'` is judged as `python3 -`."""
    assert heredoc_command(script) == argv

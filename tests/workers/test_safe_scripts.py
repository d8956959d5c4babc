"""What bash does with a script, against what we read in it: the two must never differ."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from workers.bash import plain_commands
from workers.safe import dangerous, known_safe

NAMES = ("ls", "cat", "grep", "find", "git", "rm", "wc")
STUB = (
    '#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$@" "\n" >> "$HEARD"\n'  # one write: pipelines overlap
)

words = st.sampled_from(
    [
        *NAMES,
        *(
            "-l",
            "--output",
            "-delete",
            "x",
            "a b",
            "é",
            "1",
            "2",
            "",
            "=",
            "A=1",
            "#",
            "!",
            "-",
            "{}",
        ),
        *(
            "'",
            '"',
            "\\",
            "$",
            "`",
            "(",
            ")",
            "{",
            "}",
            "<",
            ">",
            "&",
            "|",
            ";",
            "*",
            "?",
            "[",
            "]",
        ),
        *("'x y'", '"x y"', "\\ ", "\\\n", "$IFS", "${IFS}", "$'\\x20'", "$(rm x)", "`rm x`"),
        *(
            "<(rm x)",
            ">x",
            "2>&1",
            "<<X",
            "&&",
            "||",
            ";",
            "|",
            "|&",
            "&",
            "\n",
            "\t",
            "then",
            "if",
        ),
        *("'-del'\"ete\"", "-del\\\nete", "{a,b}", "a{1..2}", "\r", "\xa0", "\u2003", "\x0b", "!!"),
    ]
)
commands = st.tuples(
    st.sampled_from(NAMES),
    st.lists(st.tuples(words, st.sampled_from([" ", "", "  "])), max_size=4),
).map(lambda parts: f"{parts[0]} " + "".join(word + gap for word, gap in parts[1]))
scripts = st.lists(commands, min_size=1, max_size=3).flatmap(
    lambda said: st.sampled_from([";", " && ", "|", "\n", " || "]).map(lambda by: by.join(said))
)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    """Programs that write down how they were called, and do nothing else."""
    folder = tmp_path_factory.mktemp("bin")
    for name in NAMES:
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    return folder


def run(script, stubs):
    """The argv of everything that bash starts, and the files that it leaves."""
    heard, work = stubs.with_name("heard"), stubs.with_name("work")
    heard.write_bytes(b"")
    work.mkdir(exist_ok=True)
    subprocess.run(
        ["/bin/bash", "--norc", "-c", script],
        cwd=work,
        env={"PATH": str(stubs), "HEARD": str(heard), "HOME": str(work)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=20,
        check=False,
    )
    calls = heard.read_bytes().split(b"\n\0")[:-1]
    made = [*work.iterdir()]
    for path in made:
        path.unlink()
    return [[os.fsdecode(word) for word in call.split(b"\0")[:-1]] for call in calls], made


def in_order(some, all_):
    rest = iter(all_)
    return all(any(one == other for other in rest) for one in some)


@given(scripts)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@example("ls -l && cat x | wc; git\nfind '-del'\"ete\"")
@example("ls\\\n -l")
@example("cat {} '*' \\* \"a b\"")
def test_bash_starts_what_we_read_and_nothing_else(stubs, script):
    """Ours: an approval is about the commands that we read; bash must not find others there."""
    read = plain_commands(script)
    if read is None:
        return
    # Names of ours only: what bash has built in leaves no trace, and may change what follows.
    if not all(argv[0] in NAMES for argv in read):
        return

    started, made = run(script, stubs)

    assert made == []
    # Commands of one pipeline write at the same time, so their order is luck.
    assert in_order(sorted(started), sorted([str(word) for word in argv] for argv in read))


HARMLESS = ("cat", "grep", "head", "ls", "rg", "sed", "find", "git", "base64", "uniq", "tail", "tr")
DEEDS = (  # what makes each of them, or the shell around it, do more than show
    *("find . -exec rm {} +", "find . -execdir sh -c x ;", "find . -ok rm {} ;", "find . -delete"),
    *("find . -fprint x", "find . -fls x", "find . -fprintf x %p", "find . -fprint0 x"),
    *("rg --pre sh x", "rg --pre=sh x", "rg --hostname-bin sh x", "rg -z x", "rg --search-zip x"),
    *("rg -nz x", "sed -i s/a/b/ x", "sed -n w\\ x y", "sed -n 1p -i x", "sed -n 1e x", "sed 1p x"),
    *("sed -n 1,2p x y", "sed -e 1e x", "base64 -o x y", "base64 --output=x y", "base64 -ox y"),
    *(
        "uniq a b",
        "git -c core.pager=x log",
        "git --paginate log",
        "git -p log",
        "git diff --ext-diff",
    ),
    *(
        "git log --output=x",
        "git show --output x",
        "git branch x",
        "git branch -D x",
        "git branch -m x",
    ),
    *("git --exec-path=. status", "git -C x status", "git --git-dir=x log", "git status; git push"),
    *("git diff --out=x", "git push", "git commit", "git checkout x", "git config a b"),
    *("git branch --edit-description", "git branch -u x", "git fetch", "git clone x"),
    *("ls > x", "ls >> x", "ls >| x", "ls &> x", "ls >&x", "cat < x > y", "ls 2> x", "cat <> x"),
    *(
        "ls; rm x",
        "ls && rm x",
        "ls || rm x",
        "ls | sh",
        "ls | xargs rm",
        "ls |& tee x",
        "ls & rm x",
    ),
    *(
        "ls $(rm x)",
        "ls `rm x`",
        'ls "$(rm x)"',
        "ls <(rm x)",
        "cat <<< $(rm x)",
        "cat <<X\n$(rm x)\nX",
    ),
    *(
        "A=1 ls",
        "PATH=. ls",
        "LD_PRELOAD=x ls",
        "PAGER=x git log",
        "env ls",
        "sudo ls",
        "command ls",
    ),
    *(
        "(ls)",
        "{ ls; }",
        "if ls; then rm x; fi",
        "f() { rm x; }; f",
        "! ls",
        "time ls",
        "coproc ls",
    ),
    *(
        "ls #\nrm x",
        "# ls\nrm x",
        "ls \\\n; rm x",
        "l\\\ns; r\\\nm x",
        "cat$IFS/etc/passwd",
        "c${x}at y",
    ),
    *(
        "./ls",
        "/tmp/ls",
        "../bin/cat x",
        "ls{,}",
        "{ls,x}",
        "$x",
        "${x:-rm} y",
        "$'rm' x",
        "ls\xa0x",
    ),
    *(
        "bash x",
        "bash -c",
        "sh -c 'rm x'",
        "bash -lc 'ls > x'",
        "bash -ic ls",
        "bash --rcfile x -c ls",
    ),
    *("curl x", "wget x", "nc x 1", "ssh x", "scp a b", "cat x > /dev/tcp/a/1", "tee x", "dd of=x"),
    *(
        "cp a b",
        "mv a b",
        "ln a b",
        "touch x",
        "mkdir x",
        "chmod 1 x",
        "python3 -c 1",
        "awk 1",
        "sort -o x",
    ),
    *(
        "eval ls",
        "exec ls",
        ". x",
        "source x",
        "alias ls=rm; ls",
        "export PATH=.; ls",
        "trap ls EXIT",
    ),
    *(
        "printf x",
        "read x",
        "cd x; ./ls",
        "test -f x",
        "[ -f x ]",
        "[[ -f x ]]",
        "let x=1",
        "((x=1))",
    ),
)


@pytest.mark.parametrize("script", DEEDS)
def test_nothing_that_writes_or_runs_is_called_safe(script):
    """Ours: each of these does more than show, or cannot be told from what does."""
    assert not known_safe(["/bin/bash", "-lc", script])
    assert not known_safe(["bash", "-c", f"ls && {script}"])


@pytest.mark.parametrize(
    "script",
    [
        *(
            "rm -rf a",
            "/bin/rm -f a",
            "'rm' -f a",
            "r\\m -f a",
            "rm a -f",
            "rm --force a",
            "rm --fo a",
        ),
        *(
            "X=1 rm -f y",
            "rm -rf a 2>/dev/null",
            "rm -rf a &",
            "(rm -rf a)",
            "{ rm -f a; }",
            "! rm -f a",
        ),
        *("echo $(rm -rf a)", "echo `rm -f a`", "cat <(rm -f a)", 'ls "$(rm -f a)"', 'rm -rf "$a"'),
        *("for i in a; do rm -rf $i; done", "if x; then rm -f y; fi", "f() { rm -rf a; }; f"),
        *("while rm -f x; do :; done", "case a in a) rm -f x;; esac", "cat <<X\n$(rm -f a)\nX"),
        *("sudo -u x rm -rf a", "env A=1 rm -f a", "ls | xargs rm -f", "timeout 5 rm -f a"),
        *("find . -exec rm -rf {} +", "bash -c 'rm -rf a'", "sudo bash -c 'rm -f a'"),
    ],
)
def test_a_forced_removal_is_seen_wherever_it_stands(script):
    """Ours, as later releases of the reference do: 0.130.0 looks at plain lists of commands."""
    assert dangerous(["/bin/bash", "-lc", script])


@pytest.mark.parametrize(
    "script",
    [
        *("rm a", "rm -r a", "rm -- -f", "rm --", "echo 'rm -rf a'", "echo rm -rf", "# rm -rf a"),
        *("grep 'rm -rf' a", "git rm -r a", "env F=-f rm a", "cat <<'X'\nrm -rf a\nX", "ls"),
    ],
)
def test_what_only_speaks_of_it_is_not_dangerous(script):
    """Ours: a question about nothing teaches people to say yes."""
    assert not dangerous(["/bin/bash", "-lc", script])


@given(st.text(max_size=60), st.sampled_from([*HARMLESS, "rm -f"]))
@settings(max_examples=300, deadline=None)
def test_any_text_is_judged_without_a_fault(text, name):
    """Ours: the script is the model's, so anything may be in it."""
    for script in (text, f"{name} {text}", f"{text}; {name}"):
        argv = ["/bin/bash", "-lc", script]
        assert not (known_safe(argv) and dangerous(argv))


def test_the_stubs_are_heard(stubs):
    """Ours: a test that hears nothing would hold for everything."""
    started, made = run("ls 'a b' -l > made; rm x", stubs)

    assert started == [["ls", "a b", "-l"], ["rm", "x"]]
    assert [path.name for path in made] == ["made"]
    assert not Path(stubs.with_name("work"), "made").exists()

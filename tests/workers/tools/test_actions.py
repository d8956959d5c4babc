"""What commands are shown as."""

import pytest

from protocol.item import ListFilesAction, ReadAction, SearchAction, UnknownAction
from workers.tools.actions import actions, argv_actions


def read(command, path):
    return ReadAction(command, path.rpartition("/")[2], path)


def lists(command, path=None):
    return ListFilesAction(command, path)


def searches(command, query=None, path=None):
    return SearchAction(command, path, query)


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("cat a.txt", "/w/a.txt"),
        ("cat 'my file.txt'", "/w/my file.txt"),
        ("head -n 5 a.txt", "/w/a.txt"),
        ("head a.txt", "/w/a.txt"),
        ("tail -n 5 a.txt", "/w/a.txt"),
        ("tail -n +5 a.txt", "/w/a.txt"),
        ("nl a.txt", "/w/a.txt"),
        ("nl -ba a.txt", "/w/a.txt"),
        ("sed -n '1,5p' a.txt", "/w/a.txt"),
        ("sed -n 3p a.txt", "/w/a.txt"),
        ("less a.txt", "/w/a.txt"),
        ("more a.txt", "/w/a.txt"),
        ("bat a.txt", "/w/a.txt"),
        ("batcat a.txt", "/w/a.txt"),
        ("awk '{print}' a.txt", "/w/a.txt"),
        ("cat /etc/passwd", "/etc/passwd"),
        ("cat -n a.txt", "/w/a.txt"),
        ("cat -- -x", "/w/-x"),
        ("nl -ba a.txt | sed -n '1,5p'", "/w/a.txt"),
        ("cat a.txt | sed -n 1,5p", "/w/a.txt"),
        ("cat src/lib/x.rs", "/w/src/lib/x.rs"),
        ("head -n50 a.txt", "/w/a.txt"),
        ("awk 'NR>=1' a.txt", "/w/a.txt"),
        ("sed -n 1,5p a.txt | head", "/w/a.txt"),
        ("head -n 5 a b", "/w/a"),
        ("tail -n5 a", "/w/a"),
        ("head -n 5 -q a", "/w/a"),
        ("bat -p a", "/w/a"),
        ("less -R a", "/w/a"),
        ("cat -A a", "/w/a"),
        ("nl -b a f", "/w/f"),
        ("awk -F: '{print}' a", "/w/a"),
        ("awk '{print}' a b", "/w/a"),
        ("sed -n 5p a", "/w/a"),
        ("sed -n -e 5p a", "/w/a"),
    ],
)
def test_reading(script, path):
    """Observed: each of these reads one file."""
    assert actions(script, "/w") == [read(script, path)]


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("ls", None),
        ("ls -la", None),
        ("ls -la b", "b"),
        ("ls b c", "b"),
        ("ls -I x b", "b"),
        ("tree", None),
        ("tree -L 2 b", "b"),
        ("eza b", "b"),
        ("du -sh b", "b"),
        ("find .", "."),
        ("find b -type f", "b"),
        ("fd", None),
        ("rg --files", None),
        ("rg --files b", "b"),
        ("rg --files -g '*.py'", None),
        ("git ls-files", None),
        ("git ls-files b", "b"),
        ("python -c 'import os; print(os.listdir())'", None),
        ("ls src/components", "components"),
        ("ls node_modules/foo/dist", "foo"),
        ("fd -e py", None),
        ("ls src", "src"),
        ("ls a/src", "a"),
        ("ls build", "build"),
        ("ls dist", "dist"),
        ("ls node_modules", "node_modules"),
        ("ls target", "target"),
        ("ls out", "out"),
        ("ls lib", "lib"),
        ("ls a/b/", "b"),
        ("ls ./", "."),
        ("ls ..", ".."),
        ("find src", "src"),
        ("ls a/dist/src", "a"),
        ("find", None),
        ("git ls-files src/", "src"),
        ("ls -w 80 b", "b"),
        ("ls -- b", "b"),
        ("tree -I x b", "b"),
        ("du -d 1 b", "b"),
        ("eza --icons b", "b"),
        ("python -c 'import glob; glob.glob(1)'", None),
        ("python3 -c 'os.walk(1)'", None),
        ("ls /", "/"),  # ours: the reference server gives an empty path
    ],
)
def test_listing(script, path):
    """Observed: each of these lists files; the path is a short name."""
    assert actions(script, "/w") == [lists(script, path)]


@pytest.mark.parametrize(
    ("script", "query", "path"),
    [
        ("find . -name '*.py'", "*.py", "."),
        ("find b -name x -o -name y", "x", "b"),
        ("fd foo", "foo", None),
        ("fd foo b", "foo", "b"),
        ("rg foo", "foo", None),
        ("rg foo b", "foo", "b"),
        ("rg -n foo b c", "foo", "b"),
        ("rg -g '*.py' foo", "foo", None),
        ("rg -l foo", "foo", None),
        ("rg -e foo b", "foo", "b"),
        ("rga foo b", "foo", "b"),
        ("grep foo", "foo", None),
        ("grep foo a", "foo", "a"),
        ("grep -rn foo b", "foo", "b"),
        ("grep -R foo .", "foo", "."),
        ("egrep foo a", "foo", "a"),
        ("fgrep foo a", "foo", "a"),
        ("git grep foo", "foo", None),
        ("git grep foo b", "foo", "b"),
        ("ag foo", "foo", None),
        ("ack foo b", "foo", "b"),
        ("rg foo a/b/c", "foo", "c"),
        ("rg 'foo bar' 'src dir'", "foo bar", "src dir"),
        ("rg -n", None, None),
        ("grep", None, None),
        ("grep -e foo a", "foo", "a"),
        ("grep -n 'a|b' a", "a|b", "a"),
        ("grep -A 3 foo a", "foo", "a"),
        ("rg -A 3 foo a", "foo", "a"),
        ("rg --type py foo", "foo", None),
        ("rg -tpy foo", "foo", None),
        ("fd -t f foo b", "foo", "b"),
        ("find . -iname foo -maxdepth 2", "foo", "."),
        ("find b -path '*/x' -name y", "*/x", "b"),
        ("git grep -n foo -- b", "foo", "b"),
        ("rg foo src/", "foo", "src"),
        ("rg foo src/build", "foo", "src/build"),
        ("grep x a/b", "x", "b"),
        ("grep x ./a", "x", "a"),
        ("find /usr -name x", "x", "usr"),
        ("rg", None, None),
        ("fd . src", ".", "src"),
        ("git grep", None, None),
        ("ag foo a", "foo", "a"),
        ("rg -- foo c", "foo", "c"),
        ("grep -r foo", "foo", None),
        ("grep -f pats b", "pats", "b"),
        ("rg -f pats b", "pats", "b"),
        # Ours: the reference server takes values of options for operands.
        ("rg -e a -e b c", "a", "c"),
        ("grep --include x foo b", "foo", "b"),
        ("find -name x", "x", None),
    ],
)
def test_searching(script, query, path):
    """Observed: each of these searches."""
    assert actions(script, "/w") == [searches(script, query, path)]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("cd b && ls", [lists("ls", None)]),
        ("cd b && cat a.txt", [read("cat a.txt", "/w/b/a.txt")]),
        ("cd b; cat ../a.txt", [read("cat ../a.txt", "/w/a.txt")]),
        ("cd /tmp && cat x", [read("cat x", "/tmp/x")]),
        ("cat a.txt | head -n 3", [read("cat a.txt", "/w/a.txt")]),
        (
            "cat a.txt | grep foo",
            [read("cat a.txt", "/w/a.txt"), searches("grep foo", "foo", None)],
        ),
        ("rg foo | head -n 10", [searches("rg foo", "foo", None)]),
        ("rg --files | head -n 5", [lists("rg --files", None)]),
        ("ls | grep x", [lists("ls", None), searches("grep x", "x", None)]),
        ("ls -la | wc -l", [lists("ls -la", None)]),
        ("find . | head", [lists("find .", ".")]),
        ("echo hi && cat a.txt", [read("cat a.txt", "/w/a.txt")]),
        ("cat a.txt || true", [read("cat a.txt", "/w/a.txt")]),
        ("true && cat a.txt", [read("cat a.txt", "/w/a.txt")]),
        ("cat a.txt; cat b.txt", [read("cat a.txt", "/w/a.txt"), read("cat b.txt", "/w/b.txt")]),
        ("cat a.txt; cat a.txt", [read("cat a.txt", "/w/a.txt")]),
        ("cat *.txt", [read("cat '*.txt'", "/w/*.txt")]),
        ("ls *.txt", [lists("ls '*.txt'", "*.txt")]),
        ("cat a.txt | xargs echo", [read("cat a.txt", "/w/a.txt")]),
        ("cat a.txt | sort | uniq", [read("cat a.txt", "/w/a.txt")]),
        ("ls\ncat a.txt", [lists("ls", None), read("cat a.txt", "/w/a.txt")]),
        ('cat "a b"', [read("cat 'a b'", "/w/a b")]),
        ("ls ~", [lists("ls '~'", "~")]),
        ("ls ~/x", [lists("ls '~/x'", "x")]),
        ("cat a/b/c.txt | sort | head -n 5", [read("cat a/b/c.txt", "/w/a/b/c.txt")]),
        ("ls | sort", [lists("ls", None)]),
        ("ls | cut -c1", [lists("ls", None)]),
        ("ls | tr a b", [lists("ls", None)]),
        ("ls | column", [lists("ls", None)]),
        ("ls | awk '{print $1}'", [lists("ls", None)]),
        ("ls | sed 's/a/b/'", [lists("ls", None)]),
        ("ls | sed -n 1,5p", [lists("ls", None)]),
        ("ls | tail", [lists("ls", None)]),
        ("ls | tail -n +2", [lists("ls", None)]),
        ("ls | head -5", [lists("ls", None)]),
        ("ls | head -c 5", [lists("ls", None)]),
        ("ls | grep -v x", [lists("ls", None), searches("grep -v x", "x", None)]),
        ("ls | xargs -n1 cat", [lists("ls", None)]),
        ("echo --- && ls", [lists("ls", None)]),
        ("printf x; ls", [lists("ls", None)]),
        ("cd b && cd c && cat x", [read("cat x", "/w/b/c/x")]),
        ("cd && ls", [lists("ls", None)]),
        ("cd - && ls", [lists("ls", None)]),
        ("cat a.txt | wc -l", [read("cat a.txt", "/w/a.txt")]),
        ("cat -n a.txt | head -n 3", [read("cat -n a.txt", "/w/a.txt")]),
        ("nl a.txt | head -n 2", [read("nl a.txt", "/w/a.txt")]),
        (
            "rg --files src | rg foo",
            [lists("rg --files src", "src"), searches("rg foo", "foo", None)],
        ),
        ("rg foo | sort | uniq -c", [searches("rg foo", "foo", None)]),
        ("rg -n foo src | head", [searches("rg -n foo src", "foo", "src")]),
        ("find . -type f | head -n 5", [lists("find . -type f", ".")]),
        ("git ls-files | head", [lists("git ls-files", None)]),
        ("ls --color=auto b", [lists("ls '--color=auto' b", "b")]),
        ("sed -n 5,10p a b", [read("sed -n '5,10p' a b", "/w/a")]),
        ("ls; ls", [lists("ls", None)]),
        ("ls b; ls b; ls c", [lists("ls b", "b"), lists("ls c", "c")]),
        ("true; ls; true", [lists("ls", None)]),
        ("ls || cat a", [lists("ls", None), read("cat a", "/w/a")]),
        ("ls | true", [lists("ls", None)]),
        ("cat a | true", [read("cat a", "/w/a")]),
    ],
)
def test_several_commands(script, found):
    """Observed: `cd` moves, helpers of a pipeline are passed over, a repeat is told once."""
    assert actions(script, "/w") == found


@pytest.mark.parametrize(
    "script",
    [
        "cat a b",
        "cat",
        "head -5 a.txt",
        "head -c 10 a.txt",
        "tail -f a.txt",
        "sed 's/a/b/' a.txt",
        "wc -l a.txt",
        "git status",
        "git diff",
        "git log",
        "python3 -c 'print(1)'",
        "python3 x.py",
        "cat a.txt && echo done",
        "cat < a.txt",
        "cat a.txt > b",
        "cat $X",
        "(cat a.txt)",
        "cat a.txt &",
        "sed -n '1,5p' a.txt | cat",
        "bash -lc 'cat a.txt'",
        "xargs cat",
        "yes | head",
        "printf x",
        "echo hi",
        "mkdir x && ls x",
        "npm test",
        "wc -l < a",
        "tail -30 a.txt",
        "stat a",
        "file a",
        "sed -n '1,5p;7p' a.txt",
        "sed -n '5,$p' a.txt",
        "sed -n '/x/p' a.txt",
        "git show HEAD:x",
        "cat a.txt | cat",
        "pushd b && ls",
        "for f in *; do cat $f; done",
        "if true; then ls; fi",
        "FOO=1 ls",
        "sudo ls",
        "env ls",
        "time ls",
        "cat <<EOF\nx\nEOF\n",
        "ls # comment",
        "echo a | tee b",
        "cat a.txt 2>/dev/null",
        "ls 2>&1",
        "cat `which x`",
        "cat $(which x)",
        'cat "$X"',
        "ls | xargs sed -i s/a/b/",
        "ls && echo --- && ls b",
        "pwd && ls",
        "cd b && pwd",
        "cd b; npm test",
        "tail -n 5 a.txt | cat",
        "cat -n a b",
        "git -C x grep foo",
        "git branch",
        "sed -ne 5p a",
        "gsed -n 5p a",
        "/bin/ls b",
        "/usr/bin/cat a",
        "bash -c 'ls b'",
        "sh -c ls",
        "zsh -lc 'cat a'",
        "true",
        "echo a; echo b",
        "python3 -c \"open('x').read()\"",
        "python3 -m http.server",
        # Ours: these write; the reference server shows "List files".
        "ls | tee x",
        "ls | xargs rm",
        "find . -delete",
        "find . -name x -exec rm {} +",
        "ls | sort -o x",
        "ls | sed -i s/a/b/ x",
        "cd b",
        "",
    ],
)
def test_what_is_not_understood_is_unknown_as_a_whole(script):
    """Observed: redirections, variables, control flow, other programs."""
    assert actions(script, "/w") == [UnknownAction(script)]


def test_the_home_folder_is_resolved(monkeypatch):
    """Observed: `~` in the path of a read."""
    monkeypatch.setenv("HOME", "/home/me")
    assert actions("cat ~/x", "/w") == [read("cat '~/x'", "/home/me/x")]


def test_an_empty_name_is_shown_as_it_is():
    """Observed: the path is the folder."""
    assert actions("cat ''", "/w") == [ReadAction("cat ''", "", "/w")]


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["bash", "-lc", "cat a"], read("cat a", "/w/a")),
        (["/bin/zsh", "-c", "cat a"], read("cat a", "/w/a")),
        (["ls", "my folder"], lists("ls 'my folder'", "my folder")),
        (["bash", "script"], UnknownAction("bash script")),
        (["python3", "-c", "print(1)"], UnknownAction("python3 -c 'print(1)'")),
        (["cat", "a; rm b"], read("cat 'a; rm b'", "/w/a; rm b")),
    ],
)
def test_words_are_judged_as_they_are_and_scripts_as_scripts(argv, found):
    """Observed: the `shell` tool."""
    assert argv_actions(argv, "/w") == [found]

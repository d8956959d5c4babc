import pytest

from workers.safe import dangerous, is_system_path, known_safe, program, shell_script


def bash(script):
    return ["/bin/bash", "-lc", script]


@pytest.mark.parametrize(
    "script",
    [
        "cat a.txt",
        "cd x && ls -la | head -5",
        "ls *.py",
        "grep -rn 'a.*b' . | wc -l",
        "/bin/ls",
        "find . -name '*.py'",
        "rg -n foo src/*.py",
        "git status",
        "git --no-pager log --oneline -5",
        "git diff -p --stat",
        "git branch -a",
        "git branch --list foo",
        "git branch --contains=abc",
        "sed -n 1,5p a.txt",
        "sed -n 3p",
        "base64 a",
        "uniq -c a",
    ],
)
def test_commands_that_only_show_something_are_safe(script):
    """Observed: `cat a.txt` is not asked under `untrusted`."""
    assert known_safe(bash(script))


@pytest.mark.parametrize(
    "script",
    [
        *("touch a", "ls; touch a", "ls > x", "echo $HOME", "cat <<X\na\nX", "*", "./ls", "x/ls"),
        *("/tmp/ls", "/usr/bin/../../tmp/ls", "env ls", "time ls", "alias ls=rm", "python3 -V"),
        *("find . -delete", "find . -exec rm {} +", "find . '-fprint' x", "find . \\-delete"),
        *("find *", "find . -okdir a", "rg --pre=x a", "rg --pre x a", "rg --hostname-bin x a"),
        *("rg -z a", "rg -iz a", "rg a *", "rg --search-zip a", "rg ?-x"),
        *("git -c core.pager=x log", "git -C x status", "git --git-dir=x log", "git -p log"),
        *("git log --output=x", "git diff --outp x", "git diff --ext-diff", "git log --show-sig"),
        *("git branch foo", "git branch -D foo", "git branch -v foo", "git branch --list a -D b"),
        *("git push", "git", "git diff *", "git show --paginate"),
        *("sed -n 1p -i", "sed -n 1p *", "sed 1p a", "sed -n 'w x' a", "sed -n 1p a b", "sed"),
        *(
            "uniq a b",
            "uniq a*",
            "uniq -- a b",
            "base64 -o x a",
            "base64 --output=x a",
            "sort -o x",
        ),
    ],
)
def test_commands_that_may_do_more_are_not_safe(script):
    """Ours: an option that runs a program or writes a file makes a reader unsafe."""
    assert not known_safe(bash(script))


def test_an_argv_without_a_shell_is_judged_as_it_is():
    """Ours: the shell tool takes an argv too."""
    assert known_safe(["ls", "$(x)"])
    assert not known_safe(["touch", "x"])
    assert not known_safe([])


def test_a_shell_is_only_one_of_the_systems_shells():
    """Ours: a file called bash in the workspace may be anything."""
    assert shell_script(["bash", "-lc", "ls"]) == "ls"
    assert shell_script(["/bin/zsh", "-c", "ls"]) == "ls"
    assert shell_script(["/tmp/bash", "-lc", "ls"]) is None
    assert shell_script(["bash", "-lic", "ls"]) is None
    assert shell_script(["bash", "-lc", "ls", "x"]) is None
    assert not known_safe(["/tmp/bash", "-lc", "ls"])


def test_a_program_on_the_path_is_the_systems_own(tmp_path, monkeypatch):
    """Ours: some systems keep their programs elsewhere, and PATH says where."""
    tool = tmp_path / "ls"
    tool.touch(mode=0o755)
    assert not is_system_path(str(tool))

    monkeypatch.setenv("PATH", str(tmp_path))

    assert is_system_path(str(tool))
    assert program(str(tool)) == "ls"


@pytest.mark.parametrize(
    "script",
    ["rm -rf a", "rm -f a", "rm -r -f a", "rm --fo a", "ls; rm -fr a", "sudo -u x /bin/rm -f a"],
)
def test_a_forced_removal_is_dangerous(script):
    """Observed for `rm -f` and `rm -rf`, also with sudo; ours for other spellings."""
    assert dangerous(bash(script))


@pytest.mark.parametrize(
    "script", ["rm a", "rm -r a", "git reset --hard", "echo rm -rf", "sudo ls"]
)
def test_other_commands_are_not_dangerous(script):
    """Observed: `git reset --hard` and `dd` run without a question."""
    assert not dangerous(bash(script))

import multiprocessing

import pytest

from workers import rulesfile
from workers.hostrule import HostRule
from workers.rules import Rules, append
from workers.rulesfile import Rule


def rules(folder, text, name="default.rules"):
    folder.joinpath(name).write_text(text)
    return Rules(str(folder))


def decided(found, *argv):
    rule = found.match(list(argv))
    return rule and rule.decision


def test_no_folder_means_no_rules(tmp_path):
    """Ours: most users have none."""
    found = Rules(str(tmp_path / "rules"))

    assert found.match(["ls"]) is None
    assert found.problems == []


def test_a_rule_matches_commands_that_begin_with_it(tmp_path):
    """Observed with `codex execpolicy check`."""
    found = rules(
        tmp_path,
        """# What I do all day.
prefix_rule(
    pattern=["git", ["push", "pull"]],
    decision="prompt",
    match=["git push", ["git", "pull", "x"]],
    not_match=["git status"],
    justification="remote",
)
prefix_rule(["ls"])
""",
    )

    assert found.match(["git", "pull", "x"]) == Rule(
        (("git",), ("push", "pull")), "prompt", "remote"
    )
    assert decided(found, "ls", "-l") == "allow"
    assert decided(found, "git") is None
    assert decided(found, "git", "status") is None
    assert found.match([]) is None


def test_the_strictest_rule_wins_over_all_files(tmp_path):
    """Observed: forbidden before prompt before allow, however long."""
    rules(tmp_path, 'prefix_rule(pattern=["a"], decision="forbidden")\n', "b.rules")
    rules(tmp_path, 'prefix_rule(pattern=["x"], decision="forbidden")\n', "ignored.txt")
    found = rules(
        tmp_path,
        """prefix_rule(pattern=["a", "b"])
prefix_rule(pattern=["c"]); prefix_rule(pattern=["c", "d"], decision="prompt")
""",
        "a.rules",
    )

    assert decided(found, "a", "b") == "forbidden"
    assert decided(found, "c", "e") == "allow"
    assert decided(found, "c", "d", "e") == "prompt"
    assert decided(found, "x") is None


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("foo()", 1, "Variable `foo` not found"),
        ('prefix_rule(pattern=["a"])\nprefix_rule(pattern=[])', 2, "cannot be empty"),
        ('prefix_rule(pattern=["a", []])', 1, "cannot be empty"),
        ('prefix_rule(pattern=["a", ""])', 1, "cannot be empty"),
        ('prefix_rule(pattern=["a", 1])', 1, "an element of pattern must be a list"),
        ('prefix_rule(pattern="a")', 1, "pattern must be a list"),
        ("prefix_rule()", 1, "pattern"),
        ('prefix_rule(pattern=["a"], decision="nope")', 1, "error: invalid decision: nope"),
        ('prefix_rule(pattern=["a"], decision=["allow"])', 1, "invalid decision"),
        ('prefix_rule(pattern=["a"], match=["b"])', 1, "does not match its example 'b'"),
        ('prefix_rule(pattern=["a"], not_match=["a c"])', 1, "its counterexample 'a c'"),
        ('prefix_rule(pattern=["a"], justification=" ")', 1, "justification must be"),
        ('prefix_rule(pattern=["a" + x])', 1, "Variable `x` not found"),
        ("\n\nimport os\n", 3, "Parse error"),
        ('__import__("os").system("x")', 1, "not found"),
        ('open("/etc/passwd")', 1, "not found"),
        ('load("/etc/passwd", "x")', 1, "No imports are available"),
        ("prefix_rule(", 1, "Parse error"),
        ("def f():\n    f()\nf()\n", 2, "f()"),
        ('network_rule(host="a", protocol="ftp", decision="allow")', 1, "invalid protocol"),
        ('network_rule(host="a", protocol="http", decision="x")', 1, "invalid decision"),
        ('network_rule(host="*.a", protocol="http", decision="allow")', 1, "is no host"),
        ('network_rule(host=["a"], protocol="http", decision="allow")', 1, "must be a string"),
        ('host_executable(name="git", paths=["git"])', 1, "not an absolute path"),
        ('host_executable(name="/x/git", paths=["/x/git"])', 1, "must be a bare executable name"),
    ],
)
def test_what_cannot_be_read_is_a_problem_with_file_and_line(tmp_path, text, line, what):
    """Observed: the engine's words and the place; ours for what the rules themselves refuse."""
    found = rules(tmp_path, text)

    (problem,) = found.problems
    assert problem.path == str(tmp_path / "default.rules")
    assert problem.line == line
    assert what in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        'for name in ["a", "b"]:\n    prefix_rule([name], decision="forbidden")\n',
        '[prefix_rule([name], decision="forbidden") for name in ["a", "b"]]\n',
        'def no(name):\n    prefix_rule([name], decision="forbidden")\nno("a")\nno("b")\n',
        'A = ["a"]\nprefix_rule([A + ["b"]], decision="forbidden", justification=None)\n',
        'x = "b"\nprefix_rule([["a", f"{x}"]], "forbidden")\n',
    ],
)
def test_rules_are_written_in_starlark(tmp_path, text):
    """Observed: names, functions, loops, positional arguments, f-strings."""
    found = rules(tmp_path, text)

    assert found.problems == []
    assert decided(found, "a") == decided(found, "b") == "forbidden"


def test_a_file_that_never_ends_is_a_problem(tmp_path, monkeypatch):
    """Ours: it must not hold the thread."""
    monkeypatch.setattr(rulesfile, "_SECONDS", 0.0)

    (problem,) = rules(tmp_path, "[1 for i in range(1000000000)]").problems

    assert "Evaluation cancelled" in str(problem)


def test_rules_of_others_count_beside_the_users(tmp_path):
    """Observed of the host's and a trusted project's: the strictest wins, whoever wrote it."""
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    rules(home, 'prefix_rule(["a"])\nprefix_rule(["b"], decision="forbidden")\n')
    rules(project, 'prefix_rule(["a"], decision="prompt")\nprefix_rule(["b"])\nprefix_rule(["c"])')

    found = Rules(str(home), [str(project)])

    assert [decided(found, name) for name in "abc"] == ["prompt", "forbidden", "allow"]


def test_rules_of_others_are_read_once(tmp_path):
    """Ours: a command that may write a project's rules does not write them for its own thread."""
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    found = Rules(str(home), [str(project)])

    rules(project, 'prefix_rule(["a"])')
    rules(home, 'prefix_rule(["b"])')
    found.refresh()

    assert decided(found, "a") is None
    assert decided(found, "b") == "allow"


def test_a_file_that_is_not_text_is_a_problem(tmp_path):
    """Ours: as above, without a line."""
    (tmp_path / "x.rules").write_bytes(b"\xff")

    (problem,) = Rules(str(tmp_path)).problems

    assert problem.line == 0


def test_a_broken_file_takes_away_what_the_others_allow(tmp_path):
    """Ours: the broken one may forbid it; what the others restrict still holds."""
    rules(tmp_path, "oops", "a.rules")
    found = rules(
        tmp_path,
        'prefix_rule(pattern=["ls"])\nprefix_rule(pattern=["rm"], decision="forbidden")\n',
    )

    assert decided(found, "ls") is None
    assert decided(found, "rm") == "forbidden"


def test_a_path_is_covered_by_rules_about_its_name(tmp_path):
    """Observed for system programs; ours: only restrictions reach programs of unknown origin."""
    found = rules(
        tmp_path,
        'prefix_rule(pattern=["git"])\nprefix_rule(pattern=["rm"], decision="forbidden")\n',
    )

    assert decided(found, "/usr/bin/git", "x") == "allow"
    assert decided(found, "/tmp/git", "x") is None
    assert decided(found, "./git", "x") is None
    assert decided(found, "/tmp/rm") == "forbidden"


def test_host_executable_says_which_paths_a_name_covers(tmp_path):
    """Observed: with a declaration, other paths are not covered."""
    found = rules(
        tmp_path,
        """host_executable(name="git", paths=["/opt/git"])
network_rule(host="a.b", protocol="https", decision="deny", justification="x")
prefix_rule(pattern=["git"])
prefix_rule(pattern=["/bin/rm"], decision="prompt")
""",
    )

    assert decided(found, "/opt/git") == "allow"
    assert decided(found, "/usr/bin/git") is None
    assert decided(found, "/bin/rm", "x") == "prompt"
    assert decided(found, "rm", "x") is None


def test_rules_about_hosts_are_read_back(tmp_path):
    """Observed: the three words, and names in any case."""
    found = rules(
        tmp_path,
        """network_rule(host="A.test.", protocol="https", decision="allow", justification="x")
network_rule(host="10.0.0.1", protocol="socks5_tcp", decision="deny")
network_rule("b.test", "http", "prompt")
""",
    )

    assert found.hosts == [
        HostRule("a.test", "https", "allow"),
        HostRule("10.0.0.1", "socks5Tcp", "deny"),
        HostRule("b.test", "http", "prompt"),
    ]


def test_a_host_is_not_allowed_while_a_file_cannot_be_read(tmp_path):
    """Ours: the unreadable one may have denied it."""
    allow = 'network_rule(host="a.test", protocol="https", decision="allow")\n'
    deny = 'network_rule(host="b.test", protocol="https", decision="deny")\n'
    (tmp_path / "broken.rules").write_text("nonsense")
    found = rules(tmp_path, allow + deny)

    assert found.hosts == [HostRule("b.test", "https", "deny")]


def test_an_allowed_prefix_holds_at_once_and_is_written_down(tmp_path):
    """Observed: the line in `rules/default.rules`."""
    found = Rules(str(tmp_path / "rules"))

    found.allow(["touch"])

    assert decided(found, "touch", "x") == "allow"
    file = tmp_path / "rules" / "default.rules"
    assert file.read_text() == 'prefix_rule(pattern=["touch"], decision="allow")\n'
    assert file.stat().st_mode & 0o777 == 0o600
    assert decided(Rules(str(tmp_path / "rules")), "touch") == "allow"


def test_an_empty_prefix_is_refused(tmp_path):
    """Ours: it would allow everything."""
    with pytest.raises(ValueError, match="cannot be empty"):
        Rules(str(tmp_path)).allow([])

    assert list(tmp_path.iterdir()) == []


def test_a_rule_that_cannot_be_written_is_in_force_nevertheless(tmp_path):
    """Ours: the user has said yes."""
    (tmp_path / "rules").write_text("not a folder")
    found = Rules(str(tmp_path / "rules"))

    with pytest.raises(OSError):
        found.allow(["touch"])

    assert decided(found, "touch") == "allow"


def test_odd_words_survive_the_file(tmp_path):
    """Observed: words are quoted as JSON strings, letters beyond ASCII stay."""
    prefix = ['mk"dir\\é\n', "it's", "#"]

    append(tmp_path / "default.rules", prefix)

    assert 'é\\n", "it' in (tmp_path / "default.rules").read_text()
    assert decided(Rules(str(tmp_path)), *prefix) == "allow"


def test_a_line_is_added_once_and_on_a_line_of_its_own(tmp_path):
    """Ours: the user's last line may lack its newline."""
    file = tmp_path / "default.rules"
    file.write_text('prefix_rule(pattern=["a"])')

    append(file, ["b"])
    append(file, ["b"])

    assert file.read_text().splitlines() == [
        'prefix_rule(pattern=["a"])',
        'prefix_rule(pattern=["b"], decision="allow")',
    ]


def test_a_rule_of_another_process_is_seen_after_refresh(tmp_path):
    """Ours: one thread's user allows it, the next thread knows."""
    found = Rules(str(tmp_path / "rules"))

    append(tmp_path / "rules" / "default.rules", ["touch"])
    found.refresh()

    assert decided(found, "touch") == "allow"


def _append_many(path, name):
    for number in range(50):
        append(path, [name, str(number)])


def test_two_processes_write_without_losing_a_line(tmp_path):
    """Ours: two threads are two processes with one file."""
    path = tmp_path / "default.rules"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(path, name)) for name in "ab"]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)

    assert [writer.exitcode for writer in writers] == [0, 0]
    lines = path.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 100

"""What marketplaces and plugins may say of themselves, and how plugins get into the cache."""

import json
from pathlib import Path

import pytest

from supervisor import plugins
from supervisor.git_source import Folder, Refused, Repository, parse
from supervisor.manifest import Broken, read_marketplace, read_plugin


def write(file: Path, content: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def plugin(root: Path, **told) -> Path:
    write(root / ".codex-plugin/plugin.json", {"name": "demo", "version": "1.0", **told})
    return root


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"name": "../up"}, "invalid plugin name"),
        ({"name": ["demo"]}, "invalid plugin name"),
        ({"version": "../1"}, "invalid plugin version"),
        ({"version": ".."}, "invalid plugin version"),
    ],
)
def test_a_plugin_cannot_name_itself_out_of_the_cache(tmp_path, told, problem):
    """Ours: names and versions become folders."""
    with pytest.raises(Broken, match=problem):
        read_plugin(plugin(tmp_path, **told))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "demo"', "\0", "[" * 5000])
def test_a_broken_manifest_is_named(tmp_path, text):
    write(tmp_path / ".codex-plugin/plugin.json", text)
    with pytest.raises(Broken, match=r"invalid plugin\.json"):
        read_plugin(tmp_path)


def test_parts_outside_the_plugin_are_not_its_own(tmp_path):
    """Ours: a path that leaves the folder counts as not given."""
    outside = write(tmp_path / "servers.json", {"mcpServers": {"evil": {"command": "x"}}})
    root = plugin(tmp_path / "p", mcpServers="../servers.json", skills=str(outside.parent))
    found = read_plugin(root)

    assert (found.servers(), found.skills) == ({}, root / "skills")


def test_offers_that_cannot_be_meant_are_left_out(tmp_path):
    """Observed: the others of the marketplace are offered all the same."""
    offers = [
        {"name": "good", "source": "./plugins/good"},
        {"name": "../bad", "source": "./plugins/bad"},
        {"name": "out", "source": {"source": "local", "path": "./../../etc"}},
        {"name": "odd", "source": {"source": "carrier pigeon"}},
        {"source": "./nameless"},
        "no table",
    ]
    told = {"name": "lab", "plugins": [one for one in offers if isinstance(one, dict)]}
    file = write(tmp_path / ".agents/plugins/marketplace.json", told)
    market = read_marketplace(file)

    assert [(offer.name, offer.root) for offer in market.offers] == [
        ("good", tmp_path / "plugins/good")
    ]
    with pytest.raises(Broken, match="invalid marketplace file"):
        read_marketplace(write(file, {"name": "lab", "plugins": offers}))


def test_an_install_takes_the_place_of_the_last_one(tmp_path):
    home, source = tmp_path / "home", plugin(tmp_path / "p")
    plugins.install(home, "lab", read_plugin(source))
    plugins.install(home, "lab", read_plugin(plugin(source, version="2.0")))

    there = plugins.installed(home, "demo@lab")
    assert there is not None and there.root == plugins.cache(home) / "lab/demo/2.0"
    assert [path.name for path in plugins.cache(home).rglob("demo/*")] == ["2.0"]

    plugins.uninstall(home, "demo@lab")
    assert plugins.installed(home, "demo@lab") is None
    assert list(plugins.cache(home).iterdir()) == []
    plugins.uninstall(home, "demo@lab")


def test_a_link_out_of_the_plugin_leaves_the_last_install_alone(tmp_path):
    """Ours: it would bring what is not the plugin's; the reference server copies it."""
    home, source = tmp_path / "home", plugin(tmp_path / "p")
    plugins.install(home, "lab", read_plugin(source))
    (source / "secrets").symlink_to(tmp_path)
    with pytest.raises(Broken, match="leads out of the plugin"):
        plugins.install(home, "lab", read_plugin(source))

    there = plugins.installed(home, "demo@lab")
    assert there is not None and not (there.root / "secrets").exists()
    assert [path.name for path in plugins.cache(home).iterdir()] == ["lab"]


@pytest.mark.parametrize("id", ["../../p@lab", "demo@..", "demo", "@"])
def test_ids_do_not_lead_out_of_the_cache(tmp_path, id):
    plugin(tmp_path / "p")
    assert plugins.installed(tmp_path, id) is None


@pytest.mark.parametrize(
    ("source", "url", "ref"),
    [
        ("owner/repo", "https://github.com/owner/repo.git", None),
        ("owner/repo.git@v1", "https://github.com/owner/repo.git", "v1"),
        ("https://e.example/x.git#main", "https://e.example/x.git", "main"),
        ("git@e.example:x/y.git", "git@e.example:x/y.git", None),
    ],
)
def test_sources_are_written_in_many_ways(source, url, ref):
    """Observed."""
    assert parse(source, None, None) == Repository(url, ref)


def test_a_folder_is_a_source(tmp_path):
    assert parse(f"{tmp_path}/", None, None) == Folder(tmp_path)


@pytest.mark.parametrize(
    ("source", "ref", "sparse"),
    [
        ("", None, None),
        ("ext::sh -c id", None, None),
        ("--upload-pack=id", None, None),
        ("owner/repo", "--upload-pack=id", None),
        ("owner/repo", None, ["../up"]),
        ("owner/repo", None, ["/etc"]),
        ("/nowhere/at/all", None, None),
    ],
)
def test_words_that_git_could_misunderstand_are_refused(source, ref, sparse):
    """Ours: an address is never an option, and never a program."""
    with pytest.raises(Refused):
        parse(source, ref, sparse)

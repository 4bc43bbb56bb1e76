"""What DVC's graph says, on a real repository."""

from pathlib import Path

import pytest
from toy_repository import Toy

from flows import graph


def test_nodes_are_upstream_first_and_targets_bring_what_they_need(toy: Toy) -> None:
    assert graph.nodes(toy.root) == [graph.Node("make", ()), graph.Node("use", ("make",))]
    assert [node.name for node in graph.nodes(toy.root, ["make"])] == ["make"]
    assert [node.name for node in graph.nodes(toy.root, ["use"])] == ["make", "use"]
    with pytest.raises(graph.GraphError, match=r"no stage 'used' in dvc\.yaml; there are: make, use"):
        graph.nodes(toy.root, ["used"])


def test_changes_give_dvcs_reason_and_keys_follow_the_inputs(toy: Toy) -> None:
    names = ["make", "use"]
    assert set(graph.changes(toy.root, names)) == {"make", "use"}
    assert toy.call("-m", "dvc", "repro", "--quiet").returncode == 0
    assert graph.changes(toy.root, names) == {}
    before = graph.facts(toy.root, names)
    assert before["use"].params == {"merge.weight": 0.5}
    assert before["use"].results == (toy.root / "results/used.json",)

    params = toy.root / "params.yaml"
    params.write_text(params.read_text().replace("seed: 0 ", "seed: 1 "))
    assert graph.changes(toy.root, names) == {"make": "changed deps: params.yaml: seed"}
    after = graph.facts(toy.root, names)
    assert after["make"].key != before["make"].key
    assert after["use"].key == before["use"].key
    with pytest.raises(graph.GraphError, match="no stage 'nope'"):
        graph.facts(toy.root, ["nope"])


def test_outside_a_repository_the_error_is_dvcs(tmp_path: Path) -> None:
    with pytest.raises(graph.GraphError, match="not inside of a DVC repository"):
        graph.nodes(tmp_path)


def test_flat() -> None:
    assert graph.flat({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}


def test_commit_and_whether_the_checkout_differs_from_it(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> None:
    head, dirty = graph.commit(toy.root)
    assert (len(head), dirty) == (40, False)
    (toy.root / "dvc.yaml").write_text("stages: {}\n")
    assert graph.commit(toy.root) == (head, True)
    assert graph.commit(tmp_path_factory.mktemp("no-git")) == ("", False)

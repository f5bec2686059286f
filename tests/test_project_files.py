"""The files that contributors and their tools look for say what is true."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_workflow_runs_ci_on_every_python_that_is_supported(root):
    workflow = load(root / ".github" / "workflows" / "test.yml")
    job = workflow["jobs"]["test"]
    requires = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (root / "pyproject.toml").read_text())
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(*map(int, requires.groups()))]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


@pytest.mark.parametrize(("version", "taken"), [("3, 9", False), ("3, 10", True), ("3, 13", True), ("3, 14", False)])
def test_make_refuses_a_python_without_paddle(root, tmp_path, version, taken):
    shutil.copytree(root / "requirements", tmp_path / "requirements")
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(root / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = ({version}, 0); $2"\n')
    python.chmod(0o755)
    done = subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2  # one that is taken fails later: it can do nothing but -c
    assert ("error: Python 3.10 to 3.13 is needed" in done.stderr) is not taken


def test_the_citation_is_of_the_paper(root):
    citation = load(root / "CITATION.cff")
    paper = citation["preferred-citation"]
    assert citation["cff-version"] == "1.2.0" and citation["authors"]
    assert [author["family-names"] for author in paper["authors"]] == ["Xiao", "Wu", "Wei"]
    assert (paper["title"], paper["year"]) == ("Simple Baselines for Human Pose Estimation and Tracking", 2018)


def test_the_issue_template_asks_for_run_json_and_the_log(root):
    template = load(root / ".github" / "ISSUE_TEMPLATE" / "bug.yml")
    labels = [part["attributes"]["label"] for part in template["body"]]
    assert "run.json" in labels and "Last lines of the log" in labels


def test_pre_commit_runs_lint(root):
    (repository,) = load(root / ".pre-commit-config.yaml")["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]


def test_links_between_pages_lead_somewhere(root):
    def anchor(heading):
        return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")

    pages = [root / "README.md", root / "CONTRIBUTING.md", root / "CHANGELOG.md", *(root / "docs").glob("*.md")]
    assert len(pages) > 15
    broken = []
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            name, _, place = target.partition("#")
            other = page.parent / name if name else page
            if target.startswith("http"):
                continue
            if not other.exists():
                broken.append((page.name, target))
            elif place:
                headings = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
                if place not in map(anchor, headings):
                    broken.append((page.name, target))
    assert broken == []


def test_the_first_page_is_short(root):
    assert len((root / "README.md").read_bytes()) <= 9000


CONTAINERS = {"cuda126": "requirements.txt", "cuda129": "requirements/cuda129.txt", "cuda11": "requirements/cuda11.txt"}


def commands_of(dockerfile):
    text = dockerfile.read_text(encoding="utf-8")
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith("RUN ")]


def test_containers_hold_the_commands_of_the_pages(root):
    pages = "\n".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/gpu.md"))
    names = sorted(path.name.partition(".")[0] for path in (root / "docker").iterdir())
    assert names == sorted([*CONTAINERS, "deploy"])
    for name in names:
        assert f"docker build -f docker/{name}.Dockerfile" in pages
    for name, requirements in CONTAINERS.items():
        system, setup = commands_of(root / "docker" / f"{name}.Dockerfile")
        needed = re.search(r"`apt install ([^`]+)`", pages)[1]
        assert system == f"apt-get update && apt-get install -y {needed}"
        assert setup == f"make setup REQUIREMENTS={requirements}" and f"pip install -r {requirements}" in pages
    (deploy,) = commands_of(root / "docker" / "deploy.Dockerfile")
    assert f"`{deploy}`" in (root / "docs" / "deployment.md").read_text(encoding="utf-8")

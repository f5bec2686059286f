"""The files that contributors and their tools look for say what is true."""

import re

import yaml


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_workflow_runs_ci_on_every_python_that_is_supported(root):
    workflow = load(root / ".github" / "workflows" / "test.yml")
    job = workflow["jobs"]["test"]
    requires = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (root / "pyproject.toml").read_text())
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(*map(int, requires.groups()))]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]


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
